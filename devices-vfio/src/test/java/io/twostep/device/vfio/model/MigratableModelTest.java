package io.twostep.device.vfio.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Opcode;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The device behind its registers, whose host is anybody. */
class MigratableModelTest {
  private static final ModelConfig CONFIG = ModelConfig.DEFAULT.withInternalPages(4);
  private static final int ENTRIES = 16;
  private static final long SUBMISSIONS = 0;
  private static final long COMPLETIONS = 4096;
  private static final long DATA = 8192;
  private static final long TABLE = 0x8000;
  private static final long BUFFER = 0x10000;
  private static final long MEMORY = 0x40000;
  private static final int SAVE_AGAIN = Opcode.INCREMENTAL | Opcode.TRACK;

  /** Memory without translation, of a bus that can be made to refuse. */
  private static final class Memory implements BusMaster {
    final MemorySegment bytes = MemorySegment.ofArray(new byte[(int) MEMORY]);
    long readsLeft = Long.MAX_VALUE;
    long writesLeft = Long.MAX_VALUE;

    @Override
    public int read(long dmaAddress, MemorySegment target, long offset, long length) {
      if (readsLeft-- <= 0 || dmaAddress < 0 || dmaAddress > MEMORY - length) {
        return UNSUPPORTED_REQUEST;
      }
      MemorySegment.copy(bytes, dmaAddress, target, offset, length);
      return OK;
    }

    @Override
    public int write(long dmaAddress, MemorySegment source, long offset, long length) {
      if (writesLeft-- <= 0 || dmaAddress < 0 || dmaAddress > MEMORY - length) {
        return UNSUPPORTED_REQUEST;
      }
      MemorySegment.copy(source, offset, bytes, dmaAddress, length);
      return OK;
    }

    void refuseNothing() {
      readsLeft = Long.MAX_VALUE;
      writesLeft = Long.MAX_VALUE;
    }
  }

  private static final class Quiet implements DeviceModel.Signals {
    @Override
    public void interrupt(int vector) {}

    @Override
    public void wake() {}

    @Override
    public void wakeAfter(long delayNanos) {}

    @Override
    public long nanoTime() {
      return 0;
    }
  }

  /** A device that has memory of a guest and of its host in one. */
  private static final class Device {
    final Memory memory = new Memory();
    final MigratableModel model = new MigratableModel(CONFIG);
    int submitted;

    Device() {
      model.connect(memory, new Quiet());
      write(Registers.GUEST_LENGTH, MEMORY);
      write(Registers.QUEUES + Registers.SUBMISSIONS, SUBMISSIONS);
      write(Registers.QUEUES + Registers.COMPLETIONS, COMPLETIONS);
      write(Registers.QUEUES + Registers.ENTRIES, ENTRIES);
    }

    void write(long register, long value) {
      model.write(0, register, Long.BYTES, value);
    }

    long read(long register) {
      return model.read(0, register, Long.BYTES);
    }

    /** Have it do one command of its guest, and remember that. */
    void work() {
      fill(DATA);
      settle();
      assertThat(model.inFlight()).isZero();
    }

    void fill(long target) {
      long at = SUBMISSIONS + (submitted % ENTRIES) * CommandLayout.SUBMISSION;
      memory.bytes.set(CommandLayout.U32, at + CommandLayout.OPCODE, CommandLayout.FILL);
      memory.bytes.set(CommandLayout.U32, at + CommandLayout.ID, submitted);
      memory.bytes.set(CommandLayout.U64, at + CommandLayout.TARGET, target);
      memory.bytes.set(CommandLayout.U64, at + CommandLayout.LENGTH, Long.BYTES);
      write(Registers.QUEUES + Registers.HEAD, submitted);
      write(Registers.QUEUES + Registers.TAIL, ++submitted);
    }

    void settle() {
      for (int i = 0; i < 100 && model.step(64); i++) {
        // until nothing is left to do
      }
    }

    void begin(int opcode, long... arguments) {
      for (int i = 0; i < arguments.length; i++) {
        write(Registers.ARGUMENTS + i * Long.BYTES, arguments[i]);
      }
      write(Registers.OPCODE, opcode);
    }

    long run(int opcode, long... arguments) {
      begin(opcode, arguments);
      settle();
      return read(Registers.STATUS);
    }

    void table(long address, long length) {
      memory.bytes.set(CommandLayout.U64, TABLE, address);
      memory.bytes.set(CommandLayout.U64, TABLE + Long.BYTES, length);
    }

    /** Save into the buffer and return what came there. */
    byte[] save(int flags) {
      table(BUFFER, MEMORY - BUFFER);
      assertThat(run(Opcode.SAVE, flags, TABLE, 1, MEMORY - BUFFER)).isEqualTo(Registers.DONE);
      int length = (int) read(Registers.RESULTS);
      return Arrays.copyOfRange((byte[]) memory.bytes.heapBase().orElseThrow(), (int) BUFFER, (int) BUFFER + length);
    }

    long changed() {
      assertThat(run(Opcode.QUERY, Opcode.INCREMENTAL)).isEqualTo(Registers.DONE);
      return read(Registers.RESULTS);
    }
  }

  /** How a save comes to nothing. */
  enum Failure {
    TABLE_UNREADABLE {
      @Override
      long fail(Device device) {
        device.memory.readsLeft = 0;
        return device.run(Opcode.SAVE, SAVE_AGAIN, TABLE, 1, ROOM);
      }
    },
    FIRST_PIECE {
      @Override
      long fail(Device device) {
        device.memory.writesLeft = 0;
        return device.run(Opcode.SAVE, SAVE_AGAIN, TABLE, 1, ROOM);
      }
    },
    BUFFER_TOO_SHORT {
      @Override
      long fail(Device device) {
        device.table(BUFFER, 100);
        return device.run(Opcode.SAVE, SAVE_AGAIN, TABLE, 1, ROOM);
      }
    },
    ANOTHER_COMMAND {
      @Override
      long fail(Device device) {
        device.begin(Opcode.SAVE, SAVE_AGAIN, TABLE, 1, ROOM);
        return device.run(Opcode.QUERY, 0);
      }
    };

    private static final long ROOM = MEMORY - BUFFER;

    abstract long fail(Device device);
  }

  @ParameterizedTest
  @EnumSource(Failure.class)
  void saveThatCameToNothingForgetsNothing(Failure failure) {
    Device device = new Device();
    device.work();
    byte[] first = device.save(Opcode.TRACK);
    assertThat(device.changed()).isZero();
    device.work();
    device.write(Registers.MAILBOX, 7);
    long changed = device.changed();
    device.table(BUFFER, MEMORY - BUFFER);
    assertThat(failure.fail(device)).isNotEqualTo(Registers.DONE);
    device.memory.refuseNothing();
    assertThat(device.changed()).as("bytes that changed").isEqualTo(changed).isPositive();
    byte[] second = device.save(SAVE_AGAIN);
    assertThat(device.changed()).as("bytes that changed since they were saved").isZero();
    assertThat(loaded(first, second)).isEqualTo(device.model.state());
  }

  @Test
  void whatChangesWhileASaveComesToNothingIsSavedWithTheRest() {
    Device device = new Device();
    byte[] first = device.save(Opcode.TRACK);
    device.work();
    device.begin(Opcode.SAVE, SAVE_AGAIN, TABLE, 1, MEMORY - BUFFER);
    device.write(Registers.MAILBOX, 1);
    device.memory.writesLeft = 0;
    device.settle();
    assertThat(device.read(Registers.STATUS)).isEqualTo(Registers.BUS_ERROR);
    device.memory.refuseNothing();
    device.work();
    assertThat(loaded(first, device.save(SAVE_AGAIN))).isEqualTo(device.model.state());
    assertThat(device.changed()).as("bytes that changed since they were saved").isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MIN_VALUE + 1, -4096})
  void tableWithAnEntryOfImpossibleLengthIsABusErrorAndNoFailureOfTheModel(long length) {
    Device device = new Device();
    device.table(BUFFER, length);
    assertThat(device.run(Opcode.SAVE, 0, TABLE, 1, MEMORY - BUFFER)).isEqualTo(Registers.BUS_ERROR);
    device.save(0);
  }

  @Test
  void writesToTheLastPageThatAnAddressCanNameAreNotedAndReported() {
    Device device = new Device();
    device.write(Registers.GUEST_LENGTH, Long.MAX_VALUE);
    long page = Long.MAX_VALUE & -4096;
    device.memory.bytes.set(CommandLayout.U64, TABLE, page);
    device.memory.bytes.set(CommandLayout.U64, TABLE + Long.BYTES, 4095);
    assertThat(device.run(Opcode.TRACK_CREATE, 4096, BUFFER, 16, TABLE, 1)).isEqualTo(Registers.DONE);
    device.fill(page);
    device.settle();
    assertThat(device.run(Opcode.TRACK_REPORT, page, 4095)).isEqualTo(Registers.DONE);
    assertThat(device.read(Registers.RESULTS)).as("pages reported").isEqualTo(1);
    assertThat(device.memory.bytes.get(CommandLayout.U64, BUFFER)).isEqualTo(page);
  }

  /** Return the state of a device that was given these images. */
  private static byte[] loaded(byte[]... images) {
    Device device = new Device();
    assertThat(device.run(Opcode.SUSPEND, Opcode.INITIATOR)).isEqualTo(Registers.DONE);
    assertThat(device.run(Opcode.SUSPEND, Opcode.RESPONDER)).isEqualTo(Registers.DONE);
    for (byte[] image : images) {
      MemorySegment.copy(image, 0, device.memory.bytes, ValueLayout.JAVA_BYTE, BUFFER, image.length);
      device.table(BUFFER, image.length);
      assertThat(device.run(Opcode.LOAD, 0, TABLE, 1, image.length)).isEqualTo(Registers.DONE);
    }
    return device.model.state();
  }
}
