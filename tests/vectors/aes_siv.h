/* AES-SIV. */
#ifndef VECTORS_AES_SIV_H
#define VECTORS_AES_SIV_H

/* RFC 5297, A.1 and A.2, by "AES-128-SIV"; Wycheproof aes_siv_cmac_test, by
 * "AES-256-SIV". Up to three strings of associated data; NULL: no more. */
static const struct siv_vector {
	const char *cipher, *key, *aad[3], *plain, *sealed;
} siv_vectors[] = {
    {"AES-128-SIV",
     "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     {"101112131415161718191a1b1c1d1e1f2021222324252627", NULL, NULL},
     "112233445566778899aabbccddee",
     "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"},
    {"AES-128-SIV",
     "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
     {"00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100", "102030405060708090a0",
      "09f911029d74e35bd84156c5635688c0"},
     "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
     "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829"
     "ea64ad544a272e9c485b62a3fd5c0d"},
    {"AES-256-SIV",
     "c25cafc6018b98dfbb79a40ec89c575a4f88c4116489bba27707479800c0130235334a45dbe8d8dae3da8dcb45bbe5dc"
     "e031b0f68ded544fda7eca30d6749442",
     {"deeb0ccf3aef47a296ed1ca8f4ae5907", NULL, NULL},
     "beec61030fa3d670337196beade6aeaa",
     "5865208eab9163db85cab9f96d846234a2626aae22f5c17c9aad4b501f4416e4"},
    {"AES-256-SIV",
     "27faf97fb303aa4f2f364edd23997f4c77b8e51ebb8293c59dfb1d24f0fb629f6c820fc2d91bf48f0035eeec347e37ec"
     "4fb0cb36102bcdc5a248c47a2f97eab9",
     {"cc94f64e14df90265f7f12a8a0386d0a", NULL, NULL},
     "6b1db0f5a43376885002dc98bd556f1dac9b66b66213a9fa6069df995a123384",
     "d0016d675b49f11ea873707412d45709b7703a028a0cfc312cf61cbe22b91e3cf20b7d4c9308ee15f18b4eba00889284"},
    {"AES-256-SIV",
     "eac96a89b8e0c928a85c91396346efe8287730595064554cd13574f8b340f541c5f0bb55e654e51b05e21ba007942cab"
     "ab5ee1020922f0dd002196a39d7fda1d",
     {"29d614f908593f6a5ab03cea", NULL, NULL},
     "0c22e4875dcd23de89a6d32f2082dd40e1848fc2",
     "bce886623d11320d22dfdc1defb04d17bd001d9370a3d8c83aabe4494d16ca75ce534f7c"},
};

/* AES-256-SIV without associated data, as record tokens use it: key 00..3f, plaintext 40..53. */
#define SIV_NO_AAD_SEALED "fd11b1dce308dab2b31bda9feb2f8e1e4583ee73ef1d4767f513fe4e020d80e97979a9d2"

#endif
