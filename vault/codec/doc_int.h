/* doc_int.h: for tests of what happens when memory runs out. */
#ifndef CODEC_DOC_INT_H
#define CODEC_DOC_INT_H

#include "codec/doc.h"

/* doc_parse with a bound of its own on what jansson may allocate. 0: arena.h's. */
enum err doc_parse_within(const void *text, size_t len, size_t memory, struct doc **out) MUST_CHECK;

#endif
