/* retention_preview.c: what the sweep would erase now, and what it has erased. */
#include "base/json.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/retention.h"

#define COUNT_MAX 100000 /* of one subject */

static enum err put_swept(const struct retention_subject *subject, struct db *db, struct json *j)
{
	struct db_result *rows = NULL;
	enum err e = retention_state(db, subject->sort, subject->number, &rows);
	const bool any = !e && db_rows(rows);

	json_key_int(j, "swept", any ? db_int8(rows, 0, 0) : 0);
	json_key(j, "swept_at");
	if (any)
		json_time(j, db_time_us(rows, 0, 1));
	else
		json_null(j);
	db_result_free(rows);
	return e;
}

static enum err put_subject(const struct retention_subject *subject, struct batch *b, struct json *j)
{
	static const char *const sorts[] = {[RETENTION_FIELD] = "field", [RETENTION_RECORD] = "record", [RETENTION_CONSENT] = "purpose"};
	int64_t due = 0, with_hold = 0;
	enum err e = retention_count(b->db, subject->sort, subject->number, retention_before(subject, b->now_us), COUNT_MAX + 1, &due, &with_hold);

	json_object(j);
	json_key_string(j, "what", sorts[subject->sort]);
	json_key_string(j, "name", subject->name);
	json_key_int(j, "retention_days", subject->days);
	json_key_int(j, "due", due > COUNT_MAX ? COUNT_MAX : due);
	json_key_bool(j, "more", due > COUNT_MAX);
	json_key_int(j, "with_hold", with_hold);
	if (!e)
		e = put_swept(subject, b->db, j);
	json_object_end(j);
	return e;
}

enum step retention_preview_decide(struct req *r, struct batch *b)
{
	struct retention_subject subject;
	struct json j;

	buf_reset(&r->out);
	if (manage_either(r, RIGHT_HANDLE_REQUESTS, RIGHT_MANAGE_DICTIONARY))
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "data");
	json_array(&j);
	for (size_t i = 0; !r->err && retention_subject(r->snapshot, i, &subject); i++)
		r->err = put_subject(&subject, b, &j);
	json_array_end(&j);
	json_object_end(&j);
	return r->err ? STEP_FAIL : manage_note(r, b, "retention", "preview");
}
