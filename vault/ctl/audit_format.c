/* audit_format.c: OCSF and ECS. Names and numbers are those of schema.ocsf.io 1.3.0 and of ECS 8.11. */
#include "ctl/audit_format.h"

#include "base/clock.h"
#include "base/json.h"

#include <string.h>

bool audit_format_of(const char *name, enum audit_format *out)
{
	static const char *const names[] = {[AUDIT_NATIVE] = "native", [AUDIT_OCSF] = "ocsf", [AUDIT_ECS] = "ecs"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i], name ? name : "native")) {
			*out = (enum audit_format)i;
			return true;
		}
	return false;
}

/* activity_id of OCSF, and event.type of ECS. */
static const struct {
	const char *activity, *ocsf_name, *ecs_type;
	int ocsf;
} activities[] = {
    {"create", "Create", "creation", 1},     {"read", "Read", "access", 2},         {"search", "Read", "access", 2},
    {"translate", "Read", "access", 2},      {"export", "Read", "access", 2},       {"audit_read", "Read", "access", 2},
    {"consent_read", "Read", "access", 2},   {"update", "Update", "change", 3},     {"consent", "Update", "change", 3},
    {"revoke", "Update", "change", 3},       {"delete", "Delete", "deletion", 4},   {"erase", "Delete", "deletion", 4},
    {"manage", "Update", "change", 3},       {"", "Other", "info", 99},
};

static const char *text_of(const struct node *record, const char *member)
{
	size_t len;
	const char *text = node_string(node_get(record, member), &len);

	return text ? text : "";
}

static size_t activity_of(const struct node *record)
{
	size_t i = 0;

	while (*activities[i].activity && strcmp(activities[i].activity, text_of(record, "activity")) != 0)
		i++;
	return i;
}

static bool is(const struct node *record, const char *member, const char *value)
{
	return !strcmp(text_of(record, member), value);
}

static void put_text(struct json *j, const char *key, const char *text)
{
	if (*text)
		json_key_string(j, key, text);
}

static void put_record(struct json *j, const char *key, const struct node *record)
{
	json_key(j, key);
	if (node_print(record, j->out))
		j->out->failed = true;
	j->comma = true;
}

static void put_ocsf_api(struct json *j, const struct node *record)
{
	json_key(j, "api");
	json_object(j);
	json_key_string(j, "operation", text_of(record, "operation"));
	json_key(j, "request");
	json_object(j);
	json_key_string(j, "uid", *text_of(record, "request_id") ? text_of(record, "request_id") : text_of(record, "id"));
	json_object_end(j);
	json_key(j, "service");
	json_object(j);
	json_key_string(j, "name", "vault");
	json_object_end(j);
	json_object_end(j);
}

static void put_ocsf_metadata(struct json *j, const struct node *record)
{
	json_key(j, "metadata");
	json_object(j);
	put_text(j, "correlation_uid", text_of(record, "trace_id"));
	json_key(j, "product");
	json_object(j);
	json_key_string(j, "name", "Customer Data Vault");
	json_object_end(j);
	json_key_string(j, "uid", text_of(record, "id"));
	json_key_string(j, "version", "1.3.0");
	json_object_end(j);
}

static void put_ocsf(struct json *j, const struct node *record)
{
	const size_t a = activity_of(record);
	const bool alarm = is(record, "activity", "alarm"), good = is(record, "outcome", "success");
	const char *actor = *text_of(record, "actor") ? text_of(record, "actor") : text_of(record, "node");
	int64_t at_us = 0;

	if (clock_parse(text_of(record, "time"), strlen(text_of(record, "time")), &at_us))
		at_us = 0;
	json_object(j);
	json_key_int(j, "activity_id", activities[a].ocsf);
	json_key_string(j, "activity_name", activities[a].ocsf_name);
	json_key(j, "actor");
	json_object(j);
	json_key(j, "user");
	json_object(j);
	json_key_string(j, "name", actor);
	json_key_string(j, "uid", actor);
	json_object_end(j);
	json_object_end(j);
	put_ocsf_api(j, record);
	json_key_int(j, "category_uid", 6);
	json_key_int(j, "class_uid", 6003);
	put_ocsf_metadata(j, record);
	if (*text_of(record, "sref")) {
		json_key(j, "resources");
		json_array(j);
		json_object(j);
		json_key_string(j, "type", "customer");
		json_key_string(j, "uid", text_of(record, "sref"));
		json_object_end(j);
		json_array_end(j);
	}
	json_key_int(j, "severity_id", alarm ? 4 : good ? 1 : 2);
	json_key(j, "src_endpoint");
	json_object(j);
	json_key_string(j, "svc_name", actor);
	json_object_end(j);
	json_key_string(j, "status", good ? "Success" : "Failure");
	json_key_string(j, "status_code", text_of(record, "code"));
	json_key_int(j, "status_id", good ? 1 : 2);
	json_key_int(j, "time", at_us / 1000);
	json_key_int(j, "type_uid", 600300 + activities[a].ocsf);
	put_record(j, "unmapped", record);
	json_object_end(j);
}

static void put_ecs_event(struct json *j, const struct node *record)
{
	json_key(j, "event");
	json_object(j);
	json_key_string(j, "action", text_of(record, "operation"));
	json_key(j, "category");
	json_array(j);
	json_string(j, "api");
	json_array_end(j);
	json_key_string(j, "dataset", "vault.audit");
	json_key_string(j, "id", text_of(record, "id"));
	json_key_string(j, "kind", is(record, "activity", "alarm") ? "alert" : "event");
	json_key_string(j, "outcome", text_of(record, "outcome"));
	json_key_string(j, "provider", "customer-data-vault");
	json_key_string(j, "reason", text_of(record, "code"));
	json_key(j, "type");
	json_array(j);
	json_string(j, activities[activity_of(record)].ecs_type);
	json_array_end(j);
	json_object_end(j);
}

static void put_ecs(struct json *j, const struct node *record)
{
	json_object(j);
	json_key_string(j, "@timestamp", text_of(record, "time"));
	json_key(j, "ecs");
	json_object(j);
	json_key_string(j, "version", "8.11.0");
	json_object_end(j);
	put_ecs_event(j, record);
	if (*text_of(record, "request_id")) {
		json_key(j, "http");
		json_object(j);
		json_key(j, "request");
		json_object(j);
		json_key_string(j, "id", text_of(record, "request_id"));
		json_object_end(j);
		json_object_end(j);
	}
	json_key(j, "labels");
	json_object(j);
	put_text(j, "legal_basis", text_of(record, "legal_basis"));
	put_text(j, "purpose", text_of(record, "purpose"));
	put_text(j, "sref", text_of(record, "sref"));
	put_text(j, "ticket", text_of(record, "ticket"));
	json_object_end(j);
	json_key(j, "service");
	json_object(j);
	json_key(j, "node");
	json_object(j);
	json_key_string(j, "name", text_of(record, "node"));
	json_object_end(j);
	json_key_string(j, "type", "vault");
	json_object_end(j);
	if (*text_of(record, "trace_id")) {
		json_key(j, "trace");
		json_object(j);
		json_key_string(j, "id", text_of(record, "trace_id"));
		json_object_end(j);
	}
	json_key(j, "user");
	json_object(j);
	put_text(j, "id", text_of(record, "actor"));
	json_object_end(j);
	json_key(j, "vault");
	json_object(j);
	put_record(j, "record", record);
	json_object_end(j);
	json_object_end(j);
}

void audit_format_put(enum audit_format format, const struct node *record, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	if (format == AUDIT_OCSF)
		put_ocsf(&j, record);
	else if (format == AUDIT_ECS)
		put_ecs(&j, record);
	else if (node_print(record, out))
		out->failed = true;
	buf_byte(out, '\n');
}
