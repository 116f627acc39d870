package io.twostep.device.nvme.model;

import io.twostep.device.nvme.wire.ShadowDoorbellLayout;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/** The controller's side of shadow doorbells (Base B.5): indexes are read from host memory, and where to ring is written there. */
final class ShadowDoorbells {
  /** What reading returns when host memory does not answer. */
  static final int UNREACHABLE = -1;

  private final HostMemory memory;
  private final int stride;
  private final MemorySegment word;
  private boolean enabled;
  private long shadow;
  private long events;

  ShadowDoorbells(Arena arena, HostMemory memory, int stride) {
    this.memory = memory;
    this.stride = stride;
    word = arena.allocate(Integer.BYTES, Integer.BYTES);
  }

  void enable(long shadowAddress, long eventAddress) {
    shadow = shadowAddress;
    events = eventAddress;
    enabled = true;
  }

  void disable() {
    enabled = false;
  }

  /** Tell whether a queue's doorbells are shadowed: never the admin queue's. */
  boolean covers(int queueId) {
    return enabled && queueId != 0;
  }

  /** Read a submission queue's tail. */
  int readTail(int queueId) {
    return read(ShadowDoorbellLayout.submissionTail(queueId, stride));
  }

  /** Read a completion queue's head. */
  int readHead(int queueId) {
    return read(ShadowDoorbellLayout.completionHead(queueId, stride));
  }

  /** Ask for the real doorbell once the tail moves past {@code index}, then read the tail again; {@link #UNREACHABLE} on failure. */
  int awaitTail(int queueId, int index) {
    return await(ShadowDoorbellLayout.submissionTail(queueId, stride), index);
  }

  /** Ask for the real doorbell once the head moves past {@code index}, then read the head again; {@link #UNREACHABLE} on failure. */
  int awaitHead(int queueId, int index) {
    return await(ShadowDoorbellLayout.completionHead(queueId, stride), index);
  }

  private int await(long at, int index) {
    ShadowDoorbellLayout.WORD.set(word, 0, index);
    if (memory.write(events + at, word, 0, Integer.BYTES) != BusMaster.OK) {
      return UNREACHABLE;
    }
    // Between the store of the event and the load of the index, as the host has one between its store and its load.
    VarHandle.fullFence();
    return read(at);
  }

  private int read(long at) {
    if (memory.read(shadow + at, word, 0, Integer.BYTES) != BusMaster.OK) {
      return UNREACHABLE;
    }
    VarHandle.acquireFence();
    return ShadowDoorbellLayout.WORD.get(word, 0) & 0xffff;
  }
}
