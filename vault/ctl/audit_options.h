/* audit_options.h: options of the audit commands; for the table in commands.c alone. */
#ifndef CTL_AUDIT_OPTIONS_H
#define CTL_AUDIT_OPTIONS_H

#include "ctl/arguments.h"

#define AUDIT_FILTERS                                                                                                  \
	{"since", "TIME", NULL, "Records from this time on: RFC 3339, or 90s, 30m, 2h, 7d, 4w ago."},                  \
	    {"until", "TIME", NULL, "Records before this time."},                                                      \
	    {"actor", "ID", NULL, "SPIFFE ID of the caller."},                                                         \
	    {"action", "ACTION", NULL, "What was done."},                                                              \
	    {"outcome", "OUTCOME", NULL, "How it ended."},                                                             \
	    {"purpose", "NAME", NULL, "For which purpose."},                                                           \
	    {"customer", "CUSTOMER", NULL, "Of whom: a token of your own, or the sref of a record."}

static const struct ctl_option audit_list_options[] = {
    AUDIT_FILTERS,
    {"limit", "N", NULL, "Records a page."},
    {"cursor", "CURSOR", NULL, "Goes on where the last page ended."},
    {"all", NULL, NULL, "Fetch page after page to the end."},
    {0},
};

static const struct ctl_option audit_tail_options[] = {AUDIT_FILTERS, {0}};

static const struct ctl_option audit_export_options[] = {
    AUDIT_FILTERS,
    {"format", "FORMAT", NULL, "native (default), ocsf or ecs."},
    {0},
};

static const struct ctl_option audit_summary_options[] = {
    {"since", "TIME", NULL, "From this time on; default 1d."},
    {"until", "TIME", NULL, "Before this time."},
    {0},
};

static const struct ctl_option audit_ship_options[] = {
    {"cursor", "FILE", NULL, "Where it notes what was delivered."},
    {"output", "FILE", NULL, "Appended to; default, and for -: standard output."},
    {"format", "FORMAT", NULL, "native (default), ocsf or ecs."},
    {"once", NULL, NULL, "End where the log ends now."},
    {0},
};

static const struct ctl_option audit_scope_options[] = {
    {"actor", "ID", NULL, "SPIFFE ID of the identity."},
    {"from", "TIME", NULL, "From this time on: RFC 3339, or 90s, 30m, 2h, 7d, 4w ago."},
    {"to", "TIME", NULL, "Before this time."},
    {"srefs", "FILE", NULL, "A new file for the customers, by sref."},
    {0},
};

static const struct ctl_option audit_scrub_options[] = {
    {"status", NULL, NULL, "Only look how far the comparison is, and what it has found."},
    {0},
};

#endif
