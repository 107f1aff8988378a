/* bech32m: BIP-350, "Test vectors for Bech32m". */
#ifndef VECTORS_BECH32M_H
#define VECTORS_BECH32M_H

static const char *const bech32m_valid[] = {
    "A1LQFN3A",
    "a1lqfn3a",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
    "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
    "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    "?1v759aa",
};

static const char *const bech32m_invalid[] = {
    "\x20" "1xj0phk", /* prefix character out of range */
    "\x7f" "1g6xzxy", /* the same */
    "\x80" "1vctc34", /* the same */
    "an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4", /* too long */
    "qyrz8wqd2c9m",  /* no separator */
    "1qyrz8wqd2c9m", /* empty prefix */
    "y1b0jsk6g",     /* data character */
    "lt1igcx5c0",    /* data character */
    "in1muywd",      /* checksum too short */
    "mm1crxm3i",     /* character in checksum */
    "au1s5cgom",     /* character in checksum */
    "M1VUXWEZ",      /* checksum of the upper case prefix */
    "16plkw9",       /* empty prefix */
    "1p2gdwpf",      /* empty prefix */
};

/* bech32 (BIP-173), not bech32m. */
static const char *const bech32_valid[] = {
    "A12UEL5L",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
};

#endif
