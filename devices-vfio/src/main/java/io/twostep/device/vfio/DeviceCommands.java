package io.twostep.device.vfio;

import io.twostep.device.vfio.MigrationException.Kind;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.DmaBuffer;
import io.twostep.dma.spi.Closing;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Mmio;
import io.twostep.dma.spi.Timers;
import java.util.ArrayList;
import java.util.List;

/** Gives commands to a device and waits for them, one at a time. */
final class DeviceCommands {
  private static final long TIMEOUT_NANOS = 10_000_000_000L;

  private final DeviceSlot slot;
  private final Mmio registers;
  private final Timers timers;

  /** Set when a command was given up: the device may still write where it was told to, so that nothing of it may be used again. */
  private boolean unanswered;

  private final List<DmaBuffer> kept = new ArrayList<>();

  DeviceCommands(DeviceSlot slot, Timers timers) {
    this.slot = slot;
    this.timers = timers;
    registers = slot.mmio(0);
    if (registers.read64(Registers.IDENTITY) != Registers.IDENTITY_VALUE) {
      throw new MigrationException(Kind.REFUSED, slot.address() + ": not a migratable device");
    }
  }

  /** Read a register; all ones if the device is gone. A read that the bus lost says the same, but a device that is gone says so of its identity too. */
  long read(long register) {
    long value = registers.read64(register);
    boolean lost = value == Registers.GONE && registers.read64(Registers.IDENTITY) == Registers.IDENTITY_VALUE;
    return lost ? registers.read64(register) : value;
  }

  void write(long register, long value) {
    registers.write64(register, value);
  }

  long result(int number) {
    return read(Registers.RESULTS + (long) number * Long.BYTES);
  }

  /** Carry out a command; throws DEVICE if the device fails it, GONE if it does not answer, and then for every command until {@link #renew}. */
  void run(String what, int opcode, long... arguments) {
    if (unanswered) {
      throw new MigrationException(Kind.GONE, slot.address() + ": " + what + ": an earlier command was never answered; reset the device");
    }
    for (int i = 0; i < arguments.length; i++) {
      registers.write64(Registers.ARGUMENTS + (long) i * Long.BYTES, arguments[i]);
    }
    registers.write64(Registers.OPCODE, opcode);
    long start = timers.nanoTime();
    long status = read(Registers.STATUS);
    int fruitless = 0;
    while (status == Registers.BUSY) {
      if (timers.nanoTime() - start > TIMEOUT_NANOS) {
        unanswered = true;
        throw new MigrationException(Kind.GONE, slot.address() + ": " + what + ": no answer within " + TIMEOUT_NANOS / 1_000_000_000 + " s; reset the device");
      }
      timers.pause(++fruitless);
      status = read(Registers.STATUS);
    }
    if (status != Registers.DONE) {
      throw status == Registers.GONE
          ? new MigrationException(Kind.GONE, slot.address() + ": " + what + ": the device is gone")
          : new MigrationException(Kind.DEVICE, slot.address() + ": " + what + " failed: " + describe(status));
    }
  }

  /** Take commands again: the device was reset, and works on none. */
  void renew() {
    unanswered = false;
    List<DmaBuffer> free = List.copyOf(kept);
    kept.clear();
    new Closing().thenEach(free, DmaBuffer::close).end();
  }

  /** Let go of memory that commands named, or keep it until {@link #renew} from a device that may be working on one of them. */
  void letGo(DmaBuffer memory) {
    if (unanswered) {
      kept.add(memory);
    } else {
      memory.close();
    }
  }

  private static String describe(long status) {
    return switch ((int) status) {
      case Registers.BAD_COMMAND -> "not a command for the state the device is in";
      case Registers.BUS_ERROR -> "the bus refused an access";
      case Registers.BAD_IMAGE -> "the image is damaged or of another kind of device";
      default -> "status " + status;
    };
  }
}
