/* Spikes as bits, and the gaps between them.
 *
 * Spikes come as (T, n, N), time first, the last axis dense, and go out one bit a place in the order (n, T, N), the
 * highest bit of a byte first: numpy's packbits of the array turned round, read once.
 */
#include <stdint.h>
#include <string.h>

/* Eight bytes of 0 and 1 as the bits of one, the first byte highest. */
static inline uint8_t eight(const uint8_t *fires)
{
    uint64_t together;
    memcpy(&together, fires, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    together = __builtin_bswap64(together);
#endif
    return (uint8_t)((together * 0x8040201008040201u) >> 56);
}

/* `row` holds T N + 8 bytes: a sample's spikes behind those of the one before that fill no byte yet. Strides count
 * elements. Returns how many spike; `unlike` is how many of them are not 1. */
#define PACK(NAME, TYPE)                                                                                                \
    int64_t NAME(                                                                                                       \
        const TYPE *spikes, int64_t steps, int64_t samples, int64_t neurons, int64_t step_stride,                       \
        int64_t sample_stride, uint8_t *row, uint8_t *bits, int64_t *unlike)                                            \
    {                                                                                                                   \
        int64_t count = 0, other = 0, held = 0;                                                                         \
        for (int64_t b = 0; b < samples; b++) {                                                                         \
            for (int64_t t = 0; t < steps; t++) {                                                                       \
                const TYPE *here = spikes + t * step_stride + b * sample_stride;                                        \
                uint8_t *out = row + held;                                                                              \
                int32_t fired = 0, ones = 0;                                                                            \
                for (int64_t i = 0; i < neurons; i++) {                                                                 \
                    out[i] = here[i] != 0;                                                                              \
                    fired += here[i] != 0;                                                                              \
                    ones += here[i] == 1;                                                                               \
                }                                                                                                       \
                count += fired, other += fired - ones, held += neurons;                                                 \
            }                                                                                                           \
            int64_t whole = held / 8;                                                                                   \
            for (int64_t i = 0; i < whole; i++)                                                                         \
                bits[i] = eight(row + 8 * i);                                                                           \
            bits += whole, held -= 8 * whole;                                                                           \
            memmove(row, row + 8 * whole, (size_t)held);                                                                \
        }                                                                                                               \
        if (held) {                                                                                                     \
            memset(row + held, 0, (size_t)(8 - held));                                                                  \
            *bits = eight(row);                                                                                         \
        }                                                                                                               \
        *unlike = other;                                                                                                \
        return count;                                                                                                   \
    }

PACK(pack_bool, uint8_t)
PACK(pack_float32, float)
PACK(pack_float64, double)

/* The distance of each set bit from the one before, of the first from place 0. */
void gaps(const uint8_t *bits, int64_t bytes, uint32_t *out)
{
    uint32_t last = 0;
    for (int64_t i = 0; i < bytes; i++)
        for (uint32_t left = bits[i]; left;) {
            uint32_t highest = (uint32_t)__builtin_clz(left) - 24, place = (uint32_t)i * 8 + highest;
            *out++ = place - last;
            last = place;
            left &= ~(0x80u >> highest);
        }
}
