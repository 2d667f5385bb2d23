/* Action profiles: the members, and groups of them, that entries of indirect tables name. */
#ifndef PROFILE_H
#define PROFILE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What an entry of an indirect table has in place of an action. */
enum { TARGET_MEMBER = 0, TARGET_GROUP = 1 };

struct member {
    uint64_t *data; /* NULL: no such member */
    uint32_t action;
};

struct group {
    uint32_t *members; /* handles; NULL: no such group */
    uint32_t count;
};

struct profile {
    uint32_t data_words;
    struct member *members;
    struct group *groups;
    uint32_t member_room, group_room;
    uint32_t first_free_member, first_free_group; /* none below them is free */
};

/* NULL when there is none. */
static inline const struct member *profile_member(const struct profile *p, uint64_t handle) {
    return handle < p->member_room && p->members[handle].data ? &p->members[handle] : NULL;
}

/* The member of a group that a hash chooses, as BMv2 does; NULL when the group is empty. */
static inline const struct member *profile_choose(const struct profile *p, uint64_t handle,
                                                  uint64_t hash) {
    if (handle >= p->group_room || p->groups[handle].count == 0) return NULL;
    const struct group *g = &p->groups[handle];
    return profile_member(p, g->members[(uint32_t)hash % g->count]);
}

/* --- changes: by one thread at a time, never during a lookup ------------------------- */

/* Makes room for one element more. False without memory. */
static bool room_grow(void **array, uint32_t *room, size_t element) {
    const uint32_t grown = *room ? 2 * *room : 16;
    void *bigger = realloc(*array, grown * element);
    if (!bigger) return false;
    memset((char *)bigger + *room * element, 0, (grown - *room) * element);
    *array = bigger;
    *room = grown;
    return true;
}

/* Adds a member; its handle, the smallest that is free, or -ENOMEM. */
static int64_t member_add(struct profile *p, uint32_t action, const uint64_t *data) {
    uint32_t handle = p->first_free_member;
    while (handle < p->member_room && p->members[handle].data) handle++;
    if (handle == p->member_room &&
        !room_grow((void **)&p->members, &p->member_room, sizeof *p->members))
        return -ENOMEM;
    const size_t bytes = p->data_words * sizeof *data;
    uint64_t *own = malloc(bytes + 1);
    if (!own) return -ENOMEM;
    memcpy(own, data, bytes);
    p->members[handle] = (struct member){own, action};
    p->first_free_member = handle + 1;
    return handle;
}

static int member_modify(struct profile *p, uint32_t handle, uint32_t action,
                         const uint64_t *data) {
    if (!profile_member(p, handle)) return -ENOENT;
    memcpy(p->members[handle].data, data, p->data_words * sizeof *data);
    p->members[handle].action = action;
    return 0;
}

static int member_delete(struct profile *p, uint32_t handle) {
    if (!profile_member(p, handle)) return -ENOENT;
    free(p->members[handle].data);
    p->members[handle] = (struct member){0};
    if (handle < p->first_free_member) p->first_free_member = handle;
    return 0;
}

/* Adds a group; its handle, the smallest that is free, or -ENOMEM. */
static int64_t group_add(struct profile *p) {
    uint32_t handle = p->first_free_group;
    while (handle < p->group_room && p->groups[handle].members) handle++;
    if (handle == p->group_room &&
        !room_grow((void **)&p->groups, &p->group_room, sizeof *p->groups))
        return -ENOMEM;
    p->groups[handle].members = calloc(1, sizeof(uint32_t));
    if (!p->groups[handle].members) return -ENOMEM;
    p->first_free_group = handle + 1;
    return handle;
}

/* Gives a group its members, in the order that the hash counts them. */
static int group_modify(struct profile *p, uint32_t handle, uint32_t count,
                        const uint32_t *members) {
    if (handle >= p->group_room || !p->groups[handle].members) return -ENOENT;
    uint32_t *own = malloc((count + 1) * sizeof *own);
    if (!own) return -ENOMEM;
    if (count) memcpy(own, members, count * sizeof *own);
    free(p->groups[handle].members);
    p->groups[handle] = (struct group){own, count};
    return 0;
}

static int group_delete(struct profile *p, uint32_t handle) {
    if (handle >= p->group_room || !p->groups[handle].members) return -ENOENT;
    free(p->groups[handle].members);
    p->groups[handle] = (struct group){0};
    if (handle < p->first_free_group) p->first_free_group = handle;
    return 0;
}

static void profile_free(struct profile *p) {
    for (uint32_t i = 0; i < p->member_room; i++) free(p->members[i].data);
    for (uint32_t i = 0; i < p->group_room; i++) free(p->groups[i].members);
    free(p->members);
    free(p->groups);
}

#endif
