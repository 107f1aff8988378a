/* json.h: a streaming JSON writer (RFC 8259) onto a buf.
 *
 * Commas are its business; nesting and keys are the caller's. Strings must be
 * UTF-8 (jansson has checked what came from outside). It escapes only what RFC
 * 8785 escapes, so output written with sorted keys is canonical. Errors are the
 * buf's sticky one. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

struct json {
	struct buf *out;
	bool comma; /* the next item needs a comma first */
};

/* Hidden: jansson has functions named json_object, json_array, json_string and
 * json_null. Were these exported, the linker would hand them to jansson in
 * place of its own. No file may include this header and jansson's. */
#pragma GCC visibility push(hidden)

void json_init(struct json *j, struct buf *out);
void json_object(struct json *j); /* { */
void json_object_end(struct json *j);
void json_array(struct json *j); /* [ */
void json_array_end(struct json *j);
/* The key of the next value. key must need no escape. */
void json_key(struct json *j, const char *key);
void json_string(struct json *j, const char *text);
void json_string_len(struct json *j, const char *text, size_t len);
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
/* Text that is JSON already. */
void json_raw(struct json *j, const char *text, size_t len);
/* Lower-case hex as a string. */
void json_hex(struct json *j, const void *bytes, size_t len);
/* RFC 3339 UTC with microseconds, as a string. */
void json_time(struct json *j, int64_t at_us);

/* key and value in one call */
void json_key_string(struct json *j, const char *key, const char *text);
void json_key_int(struct json *j, const char *key, int64_t v);
void json_key_bool(struct json *j, const char *key, bool v);

#pragma GCC visibility pop

#endif
