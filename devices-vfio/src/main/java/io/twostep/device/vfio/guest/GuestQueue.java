package io.twostep.device.vfio.guest;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.Mmio;
import java.lang.foreign.MemorySegment;

/**
 * The guest's driver of one queue: submits commands and takes completions. What it knows, its counters, is in the guest's memory.
 *
 * <pre>
 * address +0x000 submitted u32, taken u32
 *         +0x040 completions, 16 bytes each
 *         +...   submissions, 64 bytes each
 * </pre>
 */
public final class GuestQueue {
  private static final long SUBMITTED = 0;
  private static final long TAKEN = 4;
  private static final long COMPLETIONS = 64;

  private final GuestMemory memory;
  private final Mmio registers;
  private final long register;
  private final long address;
  private final int entries;
  private final MemorySegment entry = MemorySegment.ofArray(new byte[CommandLayout.SUBMISSION]);

  /** Receives completions. */
  @FunctionalInterface
  public interface Completions {
    /** Take a completion: the command's id and its status. */
    void completed(int id, int status);
  }

  /**
   * Take up a queue where its memory says it stands; {@link #start} it first if it never ran.
   *
   * @param queue the queue's number
   * @param address guest address of its memory, a multiple of 64, {@link #bytes} long
   * @param entries a power of two
   */
  public GuestQueue(GuestMemory memory, Mmio registers, int queue, long address, int entries) {
    this.memory = memory;
    this.registers = registers;
    this.address = address;
    this.entries = entries;
    register = Registers.QUEUES + queue * Registers.QUEUE_STRIDE;
  }

  /** Return the bytes that a queue's memory takes. */
  public static long bytes(int entries) {
    return COMPLETIONS + (long) entries * (CommandLayout.COMPLETION + CommandLayout.SUBMISSION);
  }

  /** Tell the device where the queue is; its memory is zero. */
  public void start() {
    registers.write64(register + Registers.COMPLETIONS, address + COMPLETIONS);
    registers.write64(register + Registers.SUBMISSIONS, address + COMPLETIONS + (long) entries * CommandLayout.COMPLETION);
    registers.write64(register + Registers.ENTRIES, entries);
  }

  /** Return how many commands were submitted and not taken back. */
  public int waiting() {
    return memory.getInt(address + SUBMITTED) - memory.getInt(address + TAKEN);
  }

  /** Submit a command; returns false if the queue is full. */
  public boolean trySubmit(int opcode, int id, long source, long target, long length, long seed) {
    int submitted = memory.getInt(address + SUBMITTED);
    if (waiting() == entries) {
      return false;
    }
    entry.fill((byte) 0);
    entry.set(CommandLayout.U32, CommandLayout.OPCODE, opcode);
    entry.set(CommandLayout.U32, CommandLayout.ID, id);
    entry.set(CommandLayout.U64, CommandLayout.SOURCE, source);
    entry.set(CommandLayout.U64, CommandLayout.TARGET, target);
    entry.set(CommandLayout.U64, CommandLayout.LENGTH, length);
    entry.set(CommandLayout.U64, CommandLayout.SEED, seed);
    long at = address + COMPLETIONS + (long) entries * CommandLayout.COMPLETION + (long) (submitted & entries - 1) * CommandLayout.SUBMISSION;
    memory.write(at, entry, 0, CommandLayout.SUBMISSION);
    memory.setInt(address + SUBMITTED, submitted + 1);
    registers.write64(register + Registers.TAIL, Integer.toUnsignedLong(submitted + 1));
    return true;
  }

  /** Take what is completed, no more than was submitted, whatever the device says; returns how many. */
  public int poll(Completions to) {
    int count = 0;
    int taken = memory.getInt(address + TAKEN);
    while (waiting() > 0) {
      long at = address + COMPLETIONS + (long) (taken & entries - 1) * CommandLayout.COMPLETION;
      int phase = (Integer.divideUnsigned(taken, entries) & 1) == 0 ? 1 : 0;
      if (memory.getIntAcquire(at + CommandLayout.PHASE) != phase) {
        break;
      }
      taken++;
      count++;
      memory.setInt(address + TAKEN, taken);
      to.completed(memory.getInt(at), memory.getInt(at + CommandLayout.STATUS));
    }
    if (count > 0) {
      registers.write64(register + Registers.HEAD, Integer.toUnsignedLong(taken));
    }
    return count;
  }
}
