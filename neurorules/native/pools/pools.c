/* The way back from the maxima of windows of two by two positions, which do not overlap.
 *
 * `pools_template.c` is included once a floating type. Of equal values the first one of a window counts. A value that is
 * no number is taken for an infinite one.
 */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define FEWEST 65536 /* numbers that repay waking a thread */
#define BYTES 32     /* of a vector */

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE __builtin_shufflevector
#endif
#endif
#ifndef SHUFFLE /* older ones of GNU's compilers */
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (Indices){__VA_ARGS__})
#endif

/* Field for field the ctypes structure of native.py. */
typedef struct {
    const void *maps;     /* (planes, high, wide) */
    const void *gradient; /* by maximum, (planes, high / 2, wide / 2) */
    void *out;            /* (planes, high, wide) */
    int64_t planes, high, wide;
    int32_t threads;
} Windows;

static int team(int64_t work, int32_t threads)
{
    int64_t useful = 1 + work / FEWEST;
    return useful < threads ? (int)useful : threads;
}

#define REAL float
#define INDEX int32_t
#define SWAPPED 1, 0, 3, 2, 5, 4, 7, 6
#define TWICE 0, 0, 1, 1, 2, 2, 3, 3
#define SECOND 0, -1, 0, -1, 0, -1, 0, -1
#define NAME(x) x##_float32
#include "pools_template.c"
#undef REAL
#undef INDEX
#undef SWAPPED
#undef TWICE
#undef SECOND
#undef NAME

#define REAL double
#define INDEX int64_t
#define SWAPPED 1, 0, 3, 2
#define TWICE 0, 0, 1, 1
#define SECOND 0, -1, 0, -1
#define NAME(x) x##_float64
#include "pools_template.c"
