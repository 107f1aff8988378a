# One makefile for all. `make help` lists the targets.
# Objects go to build/VARIANT: release (default), asan (ASan+UBSan), tsan.

VARIANT ?= release
BUILD := build/$(VARIANT)
VERSION := 0.1.0
prefix ?= /usr/local
CC := gcc

PACKAGES := openssl libpq jansson libmicrohttpd gnutls libcurl libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wformat=2 -Wcast-qual -Wswitch-enum \
        -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wpointer-arith
ifeq ($(CI),true)
WARN += -Werror
endif
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE -ftrivial-auto-var-init=zero \
          -fno-strict-aliasing
LDFLAGS_HARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack
CFLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 $(HARDEN)
LDFLAGS_release := $(LDFLAGS_HARDEN)
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS_tsan := -fsanitize=thread

ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -DVAULT_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS_$(VARIANT)) -pthread \
              -Iinclude -Ivault -I. $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(VARIANT)) -pthread $(LDFLAGS)

# The floors, from the top down. A library a floor; what each may link stands in LINK_floor.
FLOORS := ctl http app store codec db field policy crypto base
SRC_base := $(wildcard vault/base/*.c)
SRC_crypto := $(wildcard vault/crypto/*.c)
SRC_policy := $(wildcard policy/*.c)
SRC_field := $(wildcard vault/field/*.c)
SRC_db := $(wildcard vault/db/*.c)
SRC_codec := $(wildcard vault/codec/*.c)
SRC_store := $(wildcard vault/store/*.c)
SRC_app := $(wildcard vault/app/*.c)
SRC_http := $(wildcard vault/http/*.c)
SRC_main := $(wildcard vault/*.c)
# main() stays out of the library, so that tests of this floor bring their own.
MAIN_ctl := vault/ctl/main.c
SRC_ctl := $(filter-out $(MAIN_ctl),$(wildcard vault/ctl/*.c))

LINK_base := base
LINK_crypto := crypto base
LINK_policy := policy base
LINK_field := field base
LINK_db := db base
LINK_codec := codec field base
LINK_store := store db crypto base
LINK_app := app store codec db field policy crypto base
LINK_http := http base
LINK_main := http app store codec db field policy crypto base
LINK_ctl := ctl store codec db field crypto base
SYSLIBS_base :=
SYSLIBS_crypto := -lcrypto
SYSLIBS_policy :=
SYSLIBS_field := -lutf8proc
SYSLIBS_db := -lpq
SYSLIBS_codec := -ljansson -lutf8proc
SYSLIBS_store := -lpq -lcrypto
SYSLIBS_app := -ljansson -lutf8proc -lpq -lcrypto
SYSLIBS_http := -lmicrohttpd -lgnutls
SYSLIBS_main := $(SYSLIBS_http) $(SYSLIBS_app)
SYSLIBS_ctl := -lcurl -ljansson -lutf8proc -lpq -lcrypto

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
archives = $(patsubst %,$(BUILD)/lib%.a,$(1))
# A floor without sources yet has no library.
present = $(foreach f,$(1),$(if $(SRC_$(f)),$(f)))

EMBED := $(BUILD)/embed.o
EMBEDDED := $(sort $(wildcard sql/*.sql)) $(wildcard policy/rules/crm.policy)

.PHONY: all
all: $(if $(SRC_main),$(BUILD)/vaultd) $(if $(SRC_ctl),$(BUILD)/vaultctl) $(call archives,$(call present,$(FLOORS)))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

define floor_library
$(BUILD)/lib$(1).a: $$(call objects,$$(SRC_$(1))) $(if $(filter store,$(1)),$$(EMBED))
	@mkdir -p $$(@D)
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_library,$(f))))

# sql/*.sql and the shipped policy, compiled in.
$(BUILD)/embed.o: $(EMBEDDED) .dev/embed.sh
	@mkdir -p $(@D)
	sh .dev/embed.sh $(EMBEDDED) > $(BUILD)/embed.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $(BUILD)/embed.c

$(BUILD)/vaultd: $(call objects,$(SRC_main)) $(call archives,$(call present,$(LINK_main)))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SYSLIBS_main)
$(BUILD)/vaultctl: $(call objects,$(MAIN_ctl)) $(call archives,$(call present,$(LINK_ctl)))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SYSLIBS_ctl)

# Unit tests: tests/unit/FLOOR/test_x.c links its floor and those below, no more.
UNIT := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst %.c,$(BUILD)/%,$(UNIT))
define unit_rule
$(BUILD)/tests/unit/$(1)/%: $(BUILD)/tests/unit/$(1)/%.o $$(call archives,$$(call present,$$(LINK_$(1))))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $$(SYSLIBS_$(1)) $$(UNIT_EXTRA_$(1))
endef
$(foreach f,$(FLOORS),$(eval $(call unit_rule,$(f))))
.SECONDARY: $(patsubst %,%.o,$(UNIT_BIN))

.PHONY: unit
unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
