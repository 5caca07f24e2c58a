/* The thread team that runs a call. */
#ifndef FASTMLP_BASE_TEAM_H
#define FASTMLP_BASE_TEAM_H

#define FM_MAX_THREADS 64

/* One of the threads that run a call together. */
typedef struct fm_worker {
    int id, count;
} fm_worker;

typedef void fm_team_task(void *argument, fm_worker worker);

/* Runs task on up to `count` threads at once, this one included as worker 0, and returns when all are done. */
void fm_team_run(fm_team_task *task, void *argument, int count);

/* Waits for all workers of the call. Returns at once if there is only one. */
void fm_team_barrier(fm_worker worker);

#endif
