/* operations.h: the steps of every route, named for the table in route.c. */
#ifndef APP_OPERATIONS_H
#define APP_OPERATIONS_H

#include "vault/app/batch.h"

#define OPERATION(name)                                                                                                \
	enum err name##_plan(struct req *r);                                                                               \
	enum step name##_want(struct req *r, struct batch *b);                                                             \
	enum step name##_decide(struct req *r, struct batch *b);                                                           \
	enum err name##_reply(struct req *r, struct batch *b)

OPERATION(create);       /* customer_create.c */
OPERATION(create_batch); /* customer_create.c */
OPERATION(put_by_ref);   /* customer_create.c */
OPERATION(read_customer); /* customer_read.c */
OPERATION(patch);        /* customer_update.c */
OPERATION(revoke_tokens); /* customer_update.c */
OPERATION(detokenize);   /* tokens.c */
OPERATION(translate);    /* tokens.c */
OPERATION(search);       /* search.c */
OPERATION(record_add);   /* records.c */
OPERATION(record_list);  /* records.c */
OPERATION(record_delete); /* records.c */

OPERATION(consent_put);  /* consents.c; the other decisions differ in their plans */
enum err consent_withdraw_plan(struct req *r);
enum err basis_put_plan(struct req *r);
enum err basis_delete_plan(struct req *r);
enum err objection_put_plan(struct req *r);
enum err objection_delete_plan(struct req *r);
enum err restriction_put_plan(struct req *r);
enum err restriction_delete_plan(struct req *r);
OPERATION(consent_batch); /* consent_batch.c */
enum step receipt_decide(struct req *r, struct batch *b);               /* consent_receipt.c */
enum step signing_key_decide(struct req *r, struct batch *b);           /* signed.c */
enum err consents_list_plan(struct req *r);                          /* consent_read.c */
enum step consents_list_want(struct req *r, struct batch *b);
enum step consents_list_decide(struct req *r, struct batch *b);

/* Configuration and log: one step, in a batch of their own, that also composes the reply. */
enum step whoami_decide(struct req *r, struct batch *b);             /* callers.c */
enum step identities_decide(struct req *r, struct batch *b);         /* callers.c */
enum step freeze_decide(struct req *r, struct batch *b);             /* callers.c */
enum step thaw_decide(struct req *r, struct batch *b);               /* callers.c */
enum step audience_revoke_decide(struct req *r, struct batch *b);    /* callers.c */
enum step reload_decide(struct req *r, struct batch *b);             /* callers.c */
enum step key_epochs_decide(struct req *r, struct batch *b);          /* keys.c */
enum step key_activate_decide(struct req *r, struct batch *b);
enum step key_destroy_decide(struct req *r, struct batch *b);
enum step fields_list_decide(struct req *r, struct batch *b);        /* dictionary.c */
enum step field_get_decide(struct req *r, struct batch *b);          /* dictionary.c */
enum step field_put_decide(struct req *r, struct batch *b);          /* dictionary.c */
enum step purposes_list_decide(struct req *r, struct batch *b);      /* dictionary.c */
enum step purpose_get_decide(struct req *r, struct batch *b);        /* dictionary.c */
enum step purpose_put_decide(struct req *r, struct batch *b);        /* dictionary.c */
enum step notice_get_decide(struct req *r, struct batch *b);         /* notices.c */
enum step notice_put_decide(struct req *r, struct batch *b);         /* notices.c */
enum err rights_open_plan(struct req *r);                            /* rights_requests.c */
enum step rights_open_want(struct req *r, struct batch *b);
enum step rights_open_decide(struct req *r, struct batch *b);
enum step rights_list_decide(struct req *r, struct batch *b);
enum step rights_get_decide(struct req *r, struct batch *b);
enum step rights_move_decide(struct req *r, struct batch *b);        /* rights_moves.c */
enum step export_get_decide(struct req *r, struct batch *b);         /* export_get.c */
enum step certificate_decide(struct req *r, struct batch *b);        /* erasure.c */
enum err hold_put_plan(struct req *r);                               /* hold.c */
enum step hold_put_want(struct req *r, struct batch *b);
enum step hold_put_decide(struct req *r, struct batch *b);
enum step hold_list_decide(struct req *r, struct batch *b);
enum step hold_confirm_decide(struct req *r, struct batch *b);
enum step hold_release_decide(struct req *r, struct batch *b);
enum step retention_preview_decide(struct req *r, struct batch *b);  /* retention_preview.c */
enum step webhooks_list_decide(struct req *r, struct batch *b);      /* webhooks.c */
enum step webhook_put_decide(struct req *r, struct batch *b);
enum step webhook_delete_decide(struct req *r, struct batch *b);
enum step webhook_retry_decide(struct req *r, struct batch *b);
enum step policies_get_decide(struct req *r, struct batch *b);       /* policies.c */
enum step policy_check_decide(struct req *r, struct batch *b);       /* policies.c */
enum step policy_activate_decide(struct req *r, struct batch *b);    /* policies.c */
enum step policy_explain_decide(struct req *r, struct batch *b);     /* policies.c */
enum err audit_list_plan(struct req *r);                             /* audit_log.c */
enum step audit_list_decide(struct req *r, struct batch *b);         /* audit_log.c */
enum step audit_get_decide(struct req *r, struct batch *b);          /* audit_log.c */
enum step audit_checkpoint_decide(struct req *r, struct batch *b);   /* audit_tree_get.c */
enum step audit_tile_decide(struct req *r, struct batch *b);         /* audit_tree_get.c */
enum step audit_proof_decide(struct req *r, struct batch *b);        /* audit_tree_get.c */
enum step audit_origin_decide(struct req *r, struct batch *b);       /* audit_origin.c */
enum err scope_plan(struct req *r);                                  /* audit_scope.c */
enum step scope_decide(struct req *r, struct batch *b);
enum step streams_decide(struct req *r, struct batch *b);            /* audit_streams.c */
enum step stream_decide(struct req *r, struct batch *b);
enum step scrub_status_decide(struct req *r, struct batch *b);       /* scrub_api.c */
enum step scrub_decide(struct req *r, struct batch *b);
enum step canaries_decide(struct req *r, struct batch *b);
enum step canary_put_decide(struct req *r, struct batch *b);
enum step canary_delete_decide(struct req *r, struct batch *b);
enum step openapi_decide(struct req *r, struct batch *b);            /* openapi.c */
enum step handshake_decide(struct req *r, struct batch *b);          /* handshake.c; no route of a client */

#endif
