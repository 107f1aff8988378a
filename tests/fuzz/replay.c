/* replay.c: a main for fuzz targets that runs each file named, and each file
 * of each folder named, once. So the corpus is a test of every build, without
 * a fuzzer. Fails where it was given nothing to run. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool replay_file(const char *path, size_t size)
{
	/* Exactly as large as the input: a read past its end is seen by ASan. */
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	bool read_all = data && f && fread(data, 1, size, f) == size;

	if (f)
		fclose(f);
	if (read_all) {
		/* Flushed, so that the log of a crash ends with the input that did it. */
		printf("%s\n", path);
		fflush(stdout);
		(void)LLVMFuzzerTestOneInput(data, size);
	} else {
		perror(path);
	}
	free(data);
	return read_all;
}

/* Returns the number of inputs run, or -1. */
static int replay(const char *path)
{
	struct stat st;
	DIR *dir;
	struct dirent *entry;
	int total = 0;

	if (stat(path, &st) != 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path, (size_t)st.st_size) ? 1 : -1;
	dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	while (total >= 0 && (entry = readdir(dir))) {
		char inner[4096];
		int n;

		if (entry->d_name[0] == '.')
			continue;
		n = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		n = n > 0 && (size_t)n < sizeof(inner) ? replay(inner) : -1;
		total = n < 0 ? -1 : total + n;
	}
	closedir(dir);
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
