package io.twostep.examples.nvmeof;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.examples.fabric.RdmaHost;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Who sends commands and offers memory for their data, several at once, each in a lane of its own. The target works in between, on the same thread. */
final class NvmeInitiator implements AutoCloseable {
  private static final long START = 0x6_0000_0000L;
  private static final int PATIENCE = 1_000_000;
  private static final int UNDER_WAY = -1;
  private static final int ID_MASK = 0xffff;

  private final RdmaHost host;
  private final MemoryBlock memory;
  private final MemoryKey key;
  private final int[] ids;
  private final int[] statuses;
  private int lastId;

  /** Make an initiator of {@code lanes} commands at once, of which more than the target takes wait. */
  NvmeInitiator(RdmaHost host, int lanes) {
    this.host = host;
    memory = host.machine().memory().allocate((long) lanes * NvmeTarget.MOST, MemoryPlacement.SCATTERED);
    key = host.offer(memory, START, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_WRITE);
    ids = new int[lanes];
    statuses = new int[lanes];
  }

  /** Return the memory that a lane's commands move, from its first byte on. */
  MemorySegment data(int lane) {
    return memory.segment().asSlice((long) lane * NvmeTarget.MOST, NvmeTarget.MOST);
  }

  /**
   * Send a command in a lane whose last one is done.
   *
   * @param opcode of {@link CommandCapsule}
   */
  void begin(int lane, int opcode, long lba, int blocks) {
    lastId = lastId + 1 & ID_MASK;
    send(lane, new CommandCapsule(opcode, lastId, lba, blocks, START + (long) lane * NvmeTarget.MOST, blocks * NvmeTarget.BLOCK, key.key()));
  }

  /** Send a command as it is. */
  void send(int lane, CommandCapsule command) {
    ids[lane] = command.id();
    statuses[lane] = UNDER_WAY;
    ByteBuffer out = host.outgoing(lane);
    command.write(out);
    if (!host.trySend(lane, lane, out.position())) {
      throw new IllegalStateException("the send queue is full");
    }
  }

  /** Tell whether a lane's last command was answered. */
  boolean isDone(int lane) {
    return statuses[lane] != UNDER_WAY;
  }

  /** Return the status that a lane's last command was answered with. */
  int status(int lane) {
    return statuses[lane];
  }

  /** Let the machines go on, and take answers. */
  void step() {
    host.step();
    for (RdmaHost.Received message = host.tryReceive(); message != null; message = host.tryReceive()) {
      ResponseCapsule response = ResponseCapsule.read(host.message(message));
      host.postReceive(message.buffer());
      take(response);
    }
    for (int lane = 0; lane < ids.length; lane++) {
      CompletionStatus sent = host.tryEnded(lane);
      if (sent != null && sent != CompletionStatus.SUCCESS) {
        throw new IllegalStateException("command %d was not delivered: %s".formatted(ids[lane], sent));
      }
    }
  }

  private void take(ResponseCapsule response) {
    for (int lane = 0; lane < ids.length; lane++) {
      if (ids[lane] == response.id() && !isDone(lane)) {
        statuses[lane] = response.status();
        return;
      }
    }
    throw new IllegalStateException("an answer to command %d while %s wait".formatted(response.id(), Arrays.toString(ids)));
  }

  /** Send a command in the first lane and await its answer; returns the status. */
  int run(int opcode, long lba, int blocks, NvmeTarget target) {
    begin(0, opcode, lba, blocks);
    await(0, target);
    return status(0);
  }

  /** Let the target work until a lane's command was answered. */
  void await(int lane, NvmeTarget target) {
    for (int round = 0; !isDone(lane); round++) {
      if (round > PATIENCE || target.lost() != null) {
        throw new IllegalStateException("command %d is not answered%s".formatted(ids[lane], target.lost() == null ? "" : "; the connection was lost: " + target.lost()));
      }
      target.work();
      step();
    }
  }

  @Override
  public void close() {
    key.close();
    memory.close();
  }
}
