/* show.h: the vault's JSON as text for people. Pure. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include "base/buf.h"
#include "codec/doc.h"

/* A value in one line: text, number, yes or no, list elements with commas, else
 * JSON. Not cleaned: table_cell and text_clean do that. */
void show_value(const struct node *n, struct buf *out);
/* show_value, then text_clean; returns the columns that it takes. */
size_t show_clean(const struct node *n, struct buf *out);
/* A table of an array of objects, or of an object of objects (its keys become a
 * first column with the heading key_heading). columns (NULL-ended) or, where
 * NULL, all members in the order in which they first come. */
void show_rows(const struct node *rows, const char *key_heading, const char *const *columns, struct buf *out);
/* Any object: its plain members as "name  value" lines, then each member that
 * holds objects as a table. */
void show_object(const struct node *object, struct buf *out);
/* A table of audit records: time, id, actor, operation, purpose, outcome, code,
 * asked, given; the latter as "plain(1,4) masked:email(2)", by field numbers. */
void show_records(const struct node *records, struct buf *out);
/* One of them as a line, columns apart by two spaces, "-" for none. */
void show_record_line(const struct node *record, struct buf *out);

/* The line for standard error of a refused request: "error: CODE: text (request
 * ID)", then a line each of errors[] and complaints[]. doc_root may be NULL: the
 * reply was no problem+json. */
void show_problem(int status, const struct node *problem, struct buf *out);
/* "NAME:LINE:COLUMN: text; near: word" for each complaint about a policy text. */
void show_complaints(const struct node *complaints, const char *name, struct buf *out);

#endif
