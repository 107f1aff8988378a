/* cluster.h: a PostgreSQL for a unit test: the one of TEST_*_URL, or a private
 * one, started in a temporary folder and removed at the end. */
#ifndef TESTS_UNIT_DB_CLUSTER_H
#define TESTS_UNIT_DB_CLUSTER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char cluster_folder[64];
static char cluster_service_url[1024], cluster_owner_url[1024], cluster_superuser_url[1024];

static int cluster_call(const char *command)
{
	char line[256];

	snprintf(line, sizeof line, ".dev/cluster.sh %s %s >/dev/null", command, cluster_folder);
	return system(line);
}

/* NAME="value" of the cluster's env file. */
static void cluster_read(const char *name, char *out, size_t room)
{
	char line[1200], path[128];
	const size_t len = strlen(name);
	FILE *f;

	snprintf(path, sizeof path, "%s/env", cluster_folder);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, name, len) && line[len] == '=') {
			line[strcspn(line, "\n") - 1] = 0;
			snprintf(out, room, "%s", line + len + 2);
		}
	if (f)
		fclose(f);
}

static int cluster_start(void **state)
{
	const char *given = getenv("TEST_DATABASE_URL");

	(void)state;
	if (given && getenv("TEST_MIGRATE_URL") && getenv("TEST_SUPERUSER_URL")) {
		snprintf(cluster_service_url, sizeof cluster_service_url, "%s", given);
		snprintf(cluster_owner_url, sizeof cluster_owner_url, "%s", getenv("TEST_MIGRATE_URL"));
		snprintf(cluster_superuser_url, sizeof cluster_superuser_url, "%s", getenv("TEST_SUPERUSER_URL"));
		return 0;
	}
	snprintf(cluster_folder, sizeof cluster_folder, "/tmp/vault-unit-pg.XXXXXX");
	if (!mkdtemp(cluster_folder) || cluster_call("start"))
		return -1;
	cluster_read("DATABASE_URL", cluster_service_url, sizeof cluster_service_url);
	cluster_read("MIGRATE_URL", cluster_owner_url, sizeof cluster_owner_url);
	cluster_read("SUPERUSER_URL", cluster_superuser_url, sizeof cluster_superuser_url);
	return cluster_service_url[0] && cluster_owner_url[0] && cluster_superuser_url[0] ? 0 : -1;
}

static int cluster_stop(void **state)
{
	(void)state;
	return cluster_folder[0] ? cluster_call("remove") : 0;
}

#endif
