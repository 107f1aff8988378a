# One makefile for all. `make help` lists the targets.
# Objects go to build/VARIANT: release (default), asan (ASan+UBSan), tsan, cov, fuzz (clang).

VARIANT ?= release
BUILD := build/$(VARIANT)
VERSION := 0.1.0
CC := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
JOBS ?= $(shell nproc)

prefix ?= /usr/local
sbindir ?= $(prefix)/sbin
bindir ?= $(prefix)/bin
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
unitdir ?= $(prefix)/lib/systemd/system

PACKAGES := openssl libpq jansson libmicrohttpd gnutls libcurl libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)

WARN := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wformat=2 -Wcast-qual -Wswitch-enum \
        -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wpointer-arith
# In release builds only: sanitizers change what the optimiser sees, and with it some warnings.
ifeq ($(CI)-$(VARIANT),true-release)
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
CFLAGS_cov := -O1 -g --coverage -fprofile-update=atomic
LDFLAGS_cov := --coverage
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined

ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -DVAULT_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS_$(VARIANT)) -pthread \
              -Iinclude -Ivault -I. $(PKG_CFLAGS) -MMD -MP $(CFLAGS)
ALL_LDFLAGS := $(LDFLAGS_$(VARIANT)) -pthread $(LDFLAGS)

# The floors, from the top down. A library a floor; what each may link stands in LINK_floor.
FLOORS := ctl http app store codec db field policy crypto archive post base
SRC_base := $(wildcard vault/base/*.c)
SRC_crypto := $(wildcard vault/crypto/*.c)
SRC_archive := $(wildcard vault/archive/*.c)
SRC_post := $(wildcard vault/post/*.c)
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
LINK_archive := archive base
LINK_post := post base
LINK_policy := policy base
LINK_field := field base
LINK_db := db base
LINK_codec := codec field base
LINK_store := store db crypto base
LINK_app := app store codec db field policy crypto archive post base
LINK_http := http base
LINK_main := http app store codec db field policy crypto archive post base
# Of http the witness's listener.
LINK_ctl := ctl http store codec db field crypto base
SYSLIBS_base :=
SYSLIBS_crypto := -lcrypto
SYSLIBS_archive := -larchive
SYSLIBS_post := -lcurl
SYSLIBS_policy :=
SYSLIBS_field := -lutf8proc
SYSLIBS_db := -lpq
SYSLIBS_codec := -ljansson -lutf8proc
SYSLIBS_store := -lpq -lcrypto
SYSLIBS_app := -lcurl -larchive -ljansson -lutf8proc -lpq -lcrypto -lm
SYSLIBS_http := -lmicrohttpd -lgnutls
SYSLIBS_main := $(SYSLIBS_http) $(SYSLIBS_app)
SYSLIBS_ctl := -lcurl -lmicrohttpd -lgnutls -ljansson -lutf8proc -lpq -lcrypto

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
archives = $(patsubst %,$(BUILD)/lib%.a,$(1))
# A floor without sources yet has no library.
present = $(foreach f,$(1),$(if $(SRC_$(f)),$(f)))

EMBED := $(BUILD)/embed.o
EMBEDDED := $(sort $(wildcard sql/*.sql)) $(wildcard policy/rules/crm.policy) vault/app/openapi.json vault/app/export.schema.json

.PHONY: all
all: ## Builds vaultd, vaultctl and the floors' libraries.
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

# sql/*.sql, the shipped policy and the description of the API, compiled in.
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

.PHONY: unit-binaries
unit-binaries: $(UNIT_BIN)

.PHONY: unit
unit: $(UNIT_BIN) ## Runs the unit tests and stops at the first that fails.
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done

# Fuzz targets: the first line of tests/fuzz/fuzz_x.c names the floor that it links: /* floor: codec */
# gcc builds link a main that replays files (make test); VARIANT=fuzz links libFuzzer's.
FUZZ := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(patsubst %.c,$(BUILD)/%,$(FUZZ))
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),,$(BUILD)/tests/fuzz/replay.o)
fuzz_floor = $(shell sed -n '1s|^/\* *floor: *\([a-z]*\).*|\1|p' $(1))
define fuzz_rule
$(BUILD)/$(1): $(BUILD)/$(1).o $(FUZZ_MAIN) $(call archives,$(call present,$(LINK_$(2))))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(SYSLIBS_$(2))
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_rule,$(f:.c=),$(call fuzz_floor,$(f)))))
.SECONDARY: $(patsubst %,%.o,$(FUZZ_BIN))

.PHONY: fuzz-binaries
fuzz-binaries: $(FUZZ_BIN)

FUZZ_SECONDS ?= 60
fuzz-%: tests/fuzz/fuzz_%.c
	@.dev/install.sh .ci/packages .ci/packages-lint
	+$(MAKE) VARIANT=fuzz build/fuzz/tests/fuzz/fuzz_$*
	@mkdir -p build/fuzz/found/$* tests/fuzz/corpus/$*
	cd build/fuzz/found/$* && ../../tests/fuzz/fuzz_$* -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -close_fd_mask=1 \
		. ../../../../tests/fuzz/corpus/$*

.PHONY: help
help: ## Lists the targets.
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort -u | while IFS='	' read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done
	@printf '  %-14s %s\n' fuzz-X 'Fuzzes tests/fuzz/fuzz_X.c with clang for FUZZ_SECONDS (60).'
	@echo 'Variables: VARIANT=release|asan|tsan|cov, CI=true (warnings are errors), DESTDIR, prefix.'

.PHONY: run up down
run: ## Installs, builds and runs all in the foreground with sample data; Ctrl-C stops it.
	@.dev/install.sh
	@exec .dev/vault.sh run
up: ## The same in the background; returns once ready.
	@.dev/install.sh
	@exec .dev/vault.sh up
down: ## Stops what `make up` started; data stays.
	@.dev/vault.sh down

.PHONY: demo-rights
demo-rights: ## Plays one of each rights request against sample data in a vault of its own; ends by itself.
	@.dev/install.sh
	+@$(MAKE) -s -j$(JOBS) all
	@python3 .dev/demo_rights.py

.PHONY: test test-crash check-asan check-tsan cov lint bench bench-grow bench-instr
test: ## Every test; the last line says N passed, N failed.
	@.dev/install.sh
	@.dev/test.sh unit corpus lint e2e
test-crash: ## 200 cycles of kill -9 under load (CRASH_CYCLES).
	@.dev/install.sh
	@CRASH_CYCLES=$${CRASH_CYCLES:-200} .dev/test.sh e2e:crash
check-asan: ## Unit tests, corpus and some end-to-end tests under ASan and UBSan.
	@.dev/install.sh
	@VARIANT=asan .dev/test.sh unit corpus e2e:api e2e:bad_input e2e:records
check-tsan: ## Unit tests of the floors that have threads, and an end-to-end test, under TSan.
	@.dev/install.sh
	@VARIANT=tsan .dev/test.sh unit:base unit:crypto unit:http e2e:records
cov: ## Line coverage of unit tests, corpus and end-to-end tests, a line a floor.
	@.dev/install.sh
	@find build/cov -name '*.gcda' -delete 2>/dev/null || true
	@VARIANT=cov .dev/test.sh unit corpus e2e || true
	@.dev/cov.sh
lint: ## Layers, README, cppcheck, clang-tidy, gcc -fanalyzer, shellcheck, man pages.
	@.dev/install.sh .ci/packages .ci/packages-lint
	@.dev/lint.sh
bench: ## Measures vaultd beside pgbench and nginx; writes build/bench.json.
	@.dev/install.sh .ci/packages .ci/packages-bench
	+@$(MAKE) -s -j$(JOBS) all
	@bash tests/bench/run.sh
bench-grow: ## Measures how it grows, by connections, customers, fields and bytes; writes tests/bench/RESULTS.md. Takes half an hour.
	@.dev/install.sh .ci/packages .ci/packages-bench
	+@$(MAKE) -s -j$(JOBS) all
	@bash tests/bench/run.sh grow
bench-instr: ## Instructions a request of the hot read, by floor, under callgrind; ARGS='--against FILE' compares.
	@.dev/install.sh .ci/packages .ci/packages-bench
	+@$(MAKE) -s -j$(JOBS) all
	@bash tests/bench/run.sh instr $(ARGS)

# For lint: the flags that a file is compiled with.
.PHONY: print-cflags
print-cflags:
	@echo '$(subst ','\'',$(ALL_CFLAGS))'

.PHONY: install
install: all ## Installs to DESTDIR and prefix (/usr/local).
	install -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(mandir)/man8 $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(unitdir) \
		$(DESTDIR)$(datadir)/vault/sql $(DESTDIR)$(datadir)/vault/policy
	install -m 0755 build/$(VARIANT)/vaultd $(DESTDIR)$(sbindir)/vaultd
	install -m 0755 build/$(VARIANT)/vaultctl $(DESTDIR)$(bindir)/vaultctl
	install -m 0644 vault/vaultd.8 $(DESTDIR)$(mandir)/man8/vaultd.8
	install -m 0644 vault/ctl/vaultctl.1 $(DESTDIR)$(mandir)/man1/vaultctl.1
	install -m 0644 $(wildcard sql/*.sql) $(DESTDIR)$(datadir)/vault/sql/
	install -m 0644 $(wildcard policy/rules/*) $(DESTDIR)$(datadir)/vault/policy/
	sed 's|@sbindir@|$(sbindir)|g' .dev/vaultd.service > $(DESTDIR)$(unitdir)/vaultd.service
	chmod 0644 $(DESTDIR)$(unitdir)/vaultd.service

.PHONY: clean
clean: ## Deletes build/. Data of `make run` lies in var/ and stays.
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
