/* The dictionary and the purposes that are shipped, as policy sees them. */
#ifndef TESTS_CRM_WORLD_H
#define TESTS_CRM_WORLD_H

#include "policy/policy.h"

#include <assert.h>
#include <string.h>

#define MASKS_0	      .n_masks = 0
#define MASKS_1(a)    .n_masks = 1, .masks = {a}
#define MASKS_2(a, b) .n_masks = 2, .masks = {a, b}

static const struct policy_subject crm_subjects[] = {
    {"email", "contact", false, MASKS_1("email")},
    {"phone", "contact", false, MASKS_1("phone")},
    {"address", "contact", false, MASKS_1("city")},
    {"wechat", "contact", false, MASKS_1("keep")},
    {"name", "identity", false, MASKS_1("name")},
    {"gender", "identity", false, MASKS_0},
    {"birth_date", "identity", false, MASKS_2("decade", "year")},
    {"resident_id", "identity", false, MASKS_1("keep")},
    {"passport", "identity", false, MASKS_1("keep")},
    {"bank_card", "financial", false, MASKS_1("keep")},
    {"iban", "financial", false, MASKS_1("keep")},
    {"uscc", "financial", false, MASKS_0},
    {"tags", "behaviour", false, MASKS_0},
    {"notes", "behaviour", false, MASKS_0},
    {"preferences", "behaviour", false, MASKS_0},
    {"order", "behaviour", true, MASKS_0},
    {"complaint", "behaviour", true, MASKS_0},
    {"interaction", "behaviour", true, MASKS_0},
    {"survey", "behaviour", true, MASKS_0},
    {"loyalty", "behaviour", true, MASKS_0},
    {"health_note", "sensitive", false, MASKS_0},
};

static const char *const crm_purposes[] = {"onboarding", "support",   "marketing", "segmentation", "loyalty",
					   "survey",	 "analytics", "rights",	   "audit",	   "administration"};

static const struct policy_world crm_world = {
    .subjects = crm_subjects,
    .n_subjects = sizeof crm_subjects / sizeof *crm_subjects,
    .purposes = crm_purposes,
    .n_purposes = sizeof crm_purposes / sizeof *crm_purposes,
};

static inline size_t crm_subject(const char *name)
{
	for (size_t i = 0; i < crm_world.n_subjects; i++)
		if (strcmp(crm_subjects[i].name, name) == 0)
			return i;
	assert(!"no such subject");
	return 0;
}

static inline size_t crm_purpose(const char *name)
{
	for (size_t i = 0; i < crm_world.n_purposes; i++)
		if (strcmp(crm_purposes[i], name) == 0)
			return i;
	assert(!"no such purpose");
	return 0;
}

#endif
