/* current.c: the snapshot in force in this process. */
#include "vault/app/app_int.h"

#include "base/metrics.h"

struct snapshot *app_snapshot(struct app *app)
{
	struct snapshot *s;

	pthread_mutex_lock(&app->snapshot_lock);
	s = app->snapshot ? snapshot_take(app->snapshot) : NULL;
	pthread_mutex_unlock(&app->snapshot_lock);
	return s;
}

void app_publish(struct app *app, struct snapshot *s)
{
	struct snapshot *old = NULL;

	pthread_mutex_lock(&app->snapshot_lock);
	if (!app->snapshot || app->snapshot->revision < s->revision) {
		old = app->snapshot;
		app->snapshot = snapshot_take(s);
		metric_set(METRIC_POLICY_REVISION, s->revision);
	}
	pthread_mutex_unlock(&app->snapshot_lock);
	snapshot_drop(old);
}
