package io.twostep.examples.nvmeof;

import io.twostep.device.rdma.AccessFlags;
import io.twostep.device.rdma.MemoryKey;
import io.twostep.device.rdma.wire.CompletionStatus;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.examples.fabric.RdmaHost;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/** Who sends commands and offers memory for their data. The target works in between, on the same thread. */
final class NvmeInitiator implements AutoCloseable {
  private static final long START = 0x6_0000_0000L;

  private final RdmaHost host;
  private final MemoryBlock memory;
  private final MemoryKey key;
  private int lastId;

  NvmeInitiator(RdmaHost host) {
    this.host = host;
    memory = host.machine().memory().allocate(NvmeTarget.MOST, MemoryPlacement.SCATTERED);
    key = host.offer(memory, START, AccessFlags.LOCAL_WRITE | AccessFlags.REMOTE_READ | AccessFlags.REMOTE_WRITE);
  }

  /** Return the memory that commands move, from its first byte on. */
  MemorySegment data() {
    return memory.segment();
  }

  /**
   * Send a command and await its answer; returns the status.
   *
   * @param opcode of {@link CommandCapsule}
   * @param target answers one command
   */
  int run(int opcode, long lba, int blocks, Runnable target) {
    ByteBuffer out = host.outgoing();
    new CommandCapsule(opcode, ++lastId, lba, blocks, START, blocks * NvmeTarget.BLOCK, key.key()).write(out);
    CompletionStatus sent = host.send(lastId, out.position());
    if (sent != CompletionStatus.SUCCESS) {
      throw new IllegalStateException("the command was not delivered: " + sent);
    }
    target.run();
    RdmaHost.Received message = host.receive();
    ResponseCapsule response = ResponseCapsule.read(host.message(message));
    host.postReceive(message.buffer());
    if (response.id() != lastId) {
      throw new IllegalStateException("an answer to command %d while %d waits".formatted(response.id(), lastId));
    }
    return response.status();
  }

  @Override
  public void close() {
    key.close();
    memory.close();
  }
}
