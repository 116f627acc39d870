package io.twostep.device.nvme.host;

import java.util.Arrays;

/**
 * The command ids of one queue: in the low bits a tag that indexes the request, and in all bits above a generation that changes with every use. One
 * thread at a time.
 *
 * <p>A completion counts only if its id is the one its tag is live with: duplicates, late ones and garbage match nothing.
 */
public final class Tags {
  /** The most tags a queue can have. */
  public static final int MAX = 1 << 12;

  /** No tag, or no match. */
  public static final int NONE = -1;

  /** Means "no particular command" in error logs, so that it is never issued (Base 5.1.12). */
  private static final int RESERVED_ID = 0xffff;

  private static final int ID_MASK = 0xffff;

  private final int generation;
  private final int tagMask;
  private final int[] free;
  private final int[] lastId;
  private final boolean[] live;
  private int freeCount;

  /** Create {@code count} free tags. */
  public Tags(int count) {
    if (count < 1 || count > MAX) {
      throw new IllegalArgumentException("a queue has 1 to " + MAX + " tags, not " + count);
    }
    generation = count == 1 ? 1 : Integer.highestOneBit(count - 1) << 1;
    tagMask = generation - 1;
    free = new int[count];
    lastId = new int[count];
    live = new boolean[count];
    for (int tag = count - 1; tag >= 0; tag--) {
      free[freeCount++] = tag;
      lastId[tag] = tag;
    }
  }

  /** Take a tag, not yet live; {@link #NONE} if all are taken. */
  public int take() {
    return freeCount == 0 ? NONE : free[--freeCount];
  }

  /** Make a taken tag live and return its new command id. */
  public int issue(int tag) {
    int id = (lastId[tag] + generation) & ID_MASK;
    if (id == RESERVED_ID) {
      id = (id + generation) & ID_MASK;
    }
    lastId[tag] = id;
    live[tag] = true;
    return id;
  }

  /** Return the live tag a command id stands for, or {@link #NONE}. */
  public int match(int commandId) {
    int tag = commandId & tagMask;
    return tag < live.length && live[tag] && lastId[tag] == commandId ? tag : NONE;
  }

  /** Return the command id a tag was last issued with. */
  public int idOf(int tag) {
    return lastId[tag];
  }

  /** Tell whether the tag's command is outstanding. */
  public boolean isLive(int tag) {
    return live[tag];
  }

  /** End the life of an outstanding command; its tag stays taken. */
  public void retire(int tag) {
    live[tag] = false;
  }

  /** Give a taken tag that is not live back. */
  public void free(int tag) {
    free[freeCount++] = tag;
  }

  /** Return how many tags are free. */
  public int free() {
    return freeCount;
  }

  /** Return how many tags there are. */
  public int count() {
    return free.length;
  }

  @Override
  public String toString() {
    return freeCount + " of " + free.length + " tags free, last ids " + Arrays.toString(lastId);
  }
}
