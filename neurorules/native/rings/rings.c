/* Five-variable rings: forward runs and reverse circuits, many at once.
 *
 * The two templates are included once a floating type: `ring_template.c` for one vector
 * of rings, `rings_template.c` for all of them. A ring's whole run stays in registers:
 * one vector holds one variable of as many rings as fit into 64 bytes.
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
    double k2, k3, h, saturation;
    double taps[VARIABLES]; /* output = sum of taps x displacement */
    int64_t steps;
    int32_t mode, threads;
} System;

static int team(int64_t rings, int32_t threads)
{
    int64_t useful = 1 + rings / RINGS_PER_THREAD;
    return useful < threads ? (int)useful : threads;
}

#define LOG2E 1.44269504088896340736

#define REAL float
#define INTEGER int32_t
#define NAME(x) x##_float32
#define MANTISSA 23
#define MAGIC (12582912.0f + 127) /* 1.5 * 2^23: adding it rounds to a whole number, kept in the low bits; the bias */
#define FURTHEST 126.0f
#define TERMS 7
#include "ring_template.c"
#include "rings_template.c"
#undef REAL
#undef INTEGER
#undef NAME
#undef MANTISSA
#undef MAGIC
#undef FURTHEST
#undef TERMS

#define REAL double
#define INTEGER int64_t
#define NAME(x) x##_float64
#define MANTISSA 52
#define MAGIC (6755399441055744.0 + 1023)
#define FURTHEST 1022.0
#define TERMS 14
#include "ring_template.c"
#include "rings_template.c"
