/* Events counted into frames: each thread takes recordings, and one pass over the events of a recording counts them.
 *
 * `frames_template.c` is included once for each type of coordinate and counter.
 */
#include <stdint.h>
#include <string.h>

#define AT_ONCE 16 /* recordings that a thread takes */

enum { WHOLE = 0, TOO_MANY = 1, OUTSIDE = 2 };

/* Field for field `_Frames` of native.py. */
typedef struct {
    const int64_t *offsets; /* of the events of each recording, one more than recordings */
    const int32_t *t_us;
    const uint8_t *polarity;
    const int64_t *edges; /* first microsecond of each step; NULL for equal steps over each recording */
    int64_t recordings, steps, polarities, height, width, keep_us, longest_us;
    int32_t threads;
} Frames;

/* The step of a time, and the times from which to which it is the same step. */
typedef struct {
    int64_t step, from, to;
} Step;

static Step step_at(const Frames *f, int64_t elapsed, int64_t length)
{
    int64_t last = f->steps - 1, step = 0;
    if (f->edges) {
        int64_t beyond = f->steps; /* edges[step] <= elapsed < edges[beyond] */
        while (beyond - step > 1) {
            int64_t middle = (step + beyond) / 2;
            if (f->edges[middle] <= elapsed)
                step = middle;
            else
                beyond = middle;
        }
        return (Step){step, f->edges[step], step == last ? INT64_MAX : f->edges[step + 1]};
    }
    step = elapsed * f->steps / length;
    if (step > last)
        step = last;
    int64_t from = (step * length + f->steps - 1) / f->steps;
    int64_t to = ((step + 1) * length + f->steps - 1) / f->steps;
    return (Step){step, from, step == last ? INT64_MAX : to};
}

#define COORDINATE uint8_t
#define COUNTER uint8_t
#define MOST UINT8_MAX
#define NAME(x) x##_uint8_uint8
#include "frames_template.c"
#define COUNTER int16_t
#define MOST INT16_MAX
#define NAME(x) x##_uint8_int16
#include "frames_template.c"
#define COUNTER int32_t
#define MOST INT32_MAX
#define NAME(x) x##_uint8_int32
#include "frames_template.c"
#undef COORDINATE

#define COORDINATE uint16_t
#define COUNTER uint8_t
#define MOST UINT8_MAX
#define NAME(x) x##_uint16_uint8
#include "frames_template.c"
#define COUNTER int16_t
#define MOST INT16_MAX
#define NAME(x) x##_uint16_int16
#include "frames_template.c"
#define COUNTER int32_t
#define MOST INT32_MAX
#define NAME(x) x##_uint16_int32
#include "frames_template.c"
