/* The thread team that runs a call. */
#ifndef FASTMLP_BASE_TEAM_H
#define FASTMLP_BASE_TEAM_H

#define FM_MAX_THREADS 64

/* One of the threads that run a call together. */
typedef struct fm_worker {
    int id, count;
} fm_worker;

typedef void fm_team_task(void *argument, fm_worker worker);

/* Runs task on up to `count` threads at once, this one included as worker 0, and returns when all are done. All of them start, so the task
 * may contain barriers. */
void fm_team_run(fm_team_task *task, void *argument, int count);

/* The same for a task whose workers claim their work piece by piece and that is complete when worker 0 returns, whichever of the others took
 * part: a worker that has not started by then is not waited for. `seconds` is about what the task takes on one thread; sleeping workers are
 * woken only for a task that is long enough, or soon after the one before it. */
void fm_team_share(fm_team_task *task, void *argument, int count, double seconds);

/* Waits for all workers of the call. Returns at once if there is only one. */
void fm_team_barrier(fm_worker worker);

/* One turn of a loop that waits for another thread: a pause, and now and then a yield, so that a machine with more busy threads than cores
 * still moves. `turn` counts the turns. */
void fm_team_spin(int turn);

#endif
