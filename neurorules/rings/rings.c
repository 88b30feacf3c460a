/* Five-variable rings: forward runs and reverse circuits, many at once.
 *
 * `rings_template.c` is included once a floating type. A ring's whole run stays in
 * registers: one vector holds one variable of as many rings as fit into 64 bytes.
 */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define VARIABLES 5
#define MOST_STEPS 1024
#define RINGS_PER_THREAD 2048 /* rings that repay waking a thread */

enum { J = 0, S = 1, T = 4 };
enum { EXACT = 0, FINAL = 1, FIXED = 2, LEAD = 3, DISCRETE = 4 }; /* Mode */

/* Field for field `_System` of native.py. */
typedef struct {
    double k2, k3, h;
    double taps[VARIABLES]; /* output = sum of taps x displacement */
    int64_t steps;
    int32_t mode, threads;
} System;

static int team(int64_t rings, int32_t threads)
{
    int64_t useful = 1 + rings / RINGS_PER_THREAD;
    return useful < threads ? (int)useful : threads;
}

#define REAL float
#define INTEGER int32_t
#define NAME(x) x##_float32
#define MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits */
#define MANTISSA 23
#define BIAS 127
#define LOWEST -87.0f
#define HIGHEST 88.0f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define TERMS 7
#include "rings_template.c"
#undef REAL
#undef INTEGER
#undef NAME
#undef MAGIC
#undef MANTISSA
#undef BIAS
#undef LOWEST
#undef HIGHEST
#undef LN2_HIGH
#undef LN2_LOW
#undef TERMS

#define REAL double
#define INTEGER int64_t
#define NAME(x) x##_float64
#define MAGIC 6755399441055744.0
#define MANTISSA 52
#define BIAS 1023
#define LOWEST -708.0
#define HIGHEST 709.0
#define LN2_HIGH 6.93145751953125e-1
#define LN2_LOW 1.42860682030941723212e-6
#define TERMS 14
#include "rings_template.c"
