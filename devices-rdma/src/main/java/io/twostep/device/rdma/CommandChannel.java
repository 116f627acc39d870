package io.twostep.device.rdma;

import io.twostep.device.rdma.wire.CommandLayout;
import io.twostep.device.rdma.wire.RegisterLayout;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.Timers;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/** The way to make the adapter do something, one command at a time. Thread-safe. */
final class CommandChannel implements AutoCloseable {
  private static final long MILLISECOND = 1_000_000;
  private static final int WORD = 32;

  private final String name;
  private final Mmio registers;
  private final Timers timers;
  private final long timeoutNanos;
  private final DmaBuffer buffer;
  private final MemorySegment input;
  private final ReentrantLock lock = new ReentrantLock();
  private boolean dead;

  CommandChannel(String name, Mmio registers, Timers timers, DmaMapper mapper, long timeoutNanos) {
    this.name = name;
    this.registers = registers;
    this.timers = timers;
    this.timeoutNanos = timeoutNanos;
    buffer = mapper.allocateCoherent(CommandLayout.ENTRY_SIZE + CommandLayout.MAX_INPUT);
    input = buffer.segment().asSlice(CommandLayout.ENTRY_SIZE, CommandLayout.MAX_INPUT);
    registers.write32(RegisterLayout.COMMAND_HIGH, (int) (buffer.dmaAddress() >>> WORD));
    registers.write32(RegisterLayout.COMMAND_LOW, (int) buffer.dmaAddress());
  }

  /** Return the adapter's name, for messages. */
  String name() {
    return name;
  }

  /** Execute a command about one thing that has a number. */
  void execute(int opcode, int number) {
    execute(opcode, bytes -> CommandLayout.NUMBER.set(bytes, 0, number));
  }

  /**
   * Execute a command and return its result.
   *
   * @throws HcaException if the adapter refuses it or does not answer
   */
  int execute(int opcode, Consumer<MemorySegment> fill) {
    lock.lock();
    try {
      if (dead) {
        throw new HcaException(name + ": an earlier command was not answered; reset the adapter");
      }
      MemorySegment entry = buffer.segment();
      input.fill((byte) 0);
      CommandLayout.OPCODE.set(input, 0, opcode);
      fill.accept(input);
      CommandLayout.INPUT_LENGTH.set(entry, 0, CommandLayout.MAX_INPUT);
      CommandLayout.INPUT_ADDRESS.set(entry, 0, buffer.dmaAddress() + CommandLayout.ENTRY_SIZE);
      CommandLayout.OWNERSHIP.setRelease(entry, 0, CommandLayout.DEVICE_OWNS);
      registers.write32(RegisterLayout.COMMAND_DOORBELL, 1);
      await(entry, opcode);
      int status = CommandLayout.STATUS.get(entry, 0);
      if (status != CommandLayout.STATUS_OK) {
        throw new HcaException(
            name + ": command 0x" + Integer.toHexString(opcode) + " was refused with status " + status + "; see CommandLayout");
      }
      return CommandLayout.RESULT.get(entry, 0);
    } finally {
      lock.unlock();
    }
  }

  private void await(MemorySegment entry, int opcode) {
    long begun = timers.nanoTime();
    int fruitless = 0;
    while (CommandLayout.OWNERSHIP.getAcquire(entry, 0) == CommandLayout.DEVICE_OWNS) {
      if (timers.nanoTime() - begun > timeoutNanos) {
        dead = true;
        throw new HcaException(
            name + ": command 0x" + Integer.toHexString(opcode) + " was not answered within " + timeoutNanos / MILLISECOND + " ms; reset the adapter");
      }
      timers.pause(++fruitless);
    }
  }

  @Override
  public void close() {
    buffer.close();
  }
}
