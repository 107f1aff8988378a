/* positions.c: the list of positions.h. */
#include "vault/app/positions.h"

#include "store/audit_query.h"

#include <stdlib.h>

struct position *positions_find(const struct positions *p, int64_t stream)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (p->list[middle].stream < stream)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->n && p->list[low].stream == stream ? &p->list[low] : NULL;
}

enum err positions_load(struct db *db, struct positions *out)
{
	struct db_result *r = NULL;
	enum err e = audit_query_ends(db, &r);

	if (!e && !(out->list = calloc(db_rows(r) + 1, sizeof *out->list)))
		e = ERR_MEMORY;
	for (size_t i = 0; !e && i < db_rows(r); i++)
		out->list[out->n++] = (struct position){db_int8(r, i, 0), db_int8(r, i, 1), LOOK_AGAIN, 0};
	db_result_free(r);
	return e;
}

enum err positions_merge(const struct positions *old, const struct db_result *rows, struct db_array *streams, struct db_array *seqs,
                         struct positions *next)
{
	next->list = calloc(db_rows(rows) + 1, sizeof *next->list);
	if (!next->list)
		return ERR_MEMORY;
	for (size_t i = 0; i < db_rows(rows) && !db_null(rows, i, 0); i++) {
		struct position p = {db_int8(rows, i, 0), 1, db_int8(rows, i, 1), 0};
		const struct position *known = positions_find(old, p.stream);

		if (known)
			p.next_seq = known->next_seq;
		if (!known || known->next_batch != p.next_batch) {
			db_array_int8(streams, p.stream);
			db_array_int8(seqs, p.next_seq);
		}
		next->list[next->n++] = p;
	}
	return ERR_OK;
}
