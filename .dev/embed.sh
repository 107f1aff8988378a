#!/bin/sh
# Prints C that holds each file named, byte for byte, in the array embedded[].
set -eu
echo '#include "store/embed.h"'
i=0
for f in "$@"; do
	printf '__asm__(".section .rodata\\n.global embed_%d\\nembed_%d:\\n.incbin \\"%s\\"\\n.global embed_%d_end\\nembed_%d_end:\\n.byte 0\\n.previous\\n");\n' $i $i "$f" $i $i
	printf 'extern const char embed_%d[], embed_%d_end[];\n' $i $i
	i=$((i + 1))
done
echo 'const struct embedded embedded[] = {'
i=0
for f in "$@"; do
	printf '\t{"%s", embed_%d, embed_%d_end},\n' "$f" $i $i
	i=$((i + 1))
done
echo '	{0, 0, 0},'
echo '};'
