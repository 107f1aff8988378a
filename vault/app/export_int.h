/* export_int.h: where a chunk is bound to. */
#ifndef APP_EXPORT_INT_H
#define APP_EXPORT_INT_H

#include "crypto/seal.h"
#include "vault/app/export.h"

struct seal_place export_chunk_place(int64_t customer, int64_t request, int32_t chunk, bool last, uint32_t generation);

#endif
