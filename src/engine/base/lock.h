/* The lock of a network: shared by predictions, held alone by everything else. It knows who holds it. */
#ifndef FASTMLP_LOCK_H
#define FASTMLP_LOCK_H

#include "fastmlp.h"

#include <pthread.h>
#include <stdatomic.h>

/* What somebody wants to do with a network. */
typedef enum fm_access {
    FM_ACCESS_SHARED,  /* read, together with others */
    FM_ACCESS_FLUSH,   /* read, alone, which may settle what was put off */
    FM_ACCESS_WRITE, /* anything */
} fm_access;

struct fm_waiter;

/* Whoever waits stands in a queue, so that nobody waits for ever; readers that stand one behind the other go together. */
typedef struct fm_lock {
    atomic_uint state;      /* readers, and the flags of lock.c */
    atomic_uintptr_t owner; /* the thread that holds it to change something, or has lent it; 0 for none */
    pthread_mutex_t mutex;  /* guards the queue */
    struct fm_waiter *first, *last;
    double lent_since;
    unsigned forks; /* how often it was made anew in a child */
} fm_lock;

void fm_lock_init(fm_lock *lock);
void fm_lock_destroy(fm_lock *lock);

/* Waits for its turn. FM_STATUS_REENTERED if this thread itself holds the lock, FM_STATUS_OCCUPIED if the function it is lent to does not return, FM_STATUS_STOPPED
 * if the hook says so: then the lock is not held. */
fm_status fm_lock_acquire(fm_lock *lock, fm_access access);

/* The same without waiting: FM_STATUS_BUSY where that would be needed. */
fm_status fm_lock_try(fm_lock *lock, fm_access access);

/* Waits for so many seconds at most, and asks neither who holds the lock nor the hook: before a fork. 0 if the time was too short. */
int fm_lock_acquire_before_fork(fm_lock *lock, double seconds);

void fm_lock_release(fm_lock *lock, fm_access access);

/* Whether this thread holds it to change something, or has lent it. */
int fm_lock_is_own(const fm_lock *lock);

/* The holder calls a function of the user's, and lets others look meanwhile: nothing they may see is half done. */
void fm_lock_lend(fm_lock *lock);
void fm_lock_take_back(fm_lock *lock);

/* In a child of fork, whose only thread is the one that forked: makes the lock anew. Only that thread still holds what it held. True if the
 * lock was held by a thread that is gone. */
int fm_lock_renew(fm_lock *lock);

#endif
