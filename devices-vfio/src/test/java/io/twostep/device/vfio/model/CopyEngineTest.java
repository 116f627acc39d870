package io.twostep.device.vfio.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.BusMaster;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** The device's own view: images of devices that never were, and guests that take a queue away. */
class CopyEngineTest {
  private static final ModelConfig CONFIG = ModelConfig.DEFAULT.withInternalPages(1);
  private static final int IMAGE_LENGTH_AT = 12;
  private static final int IMAGE_CRC_AT = 20;
  private static final long PAGE = 4096;
  private static final long MEMORY = 64 * PAGE;
  private static final long COMPLETIONS = PAGE;
  private static final int ENTRIES = 16;

  /** Memory of a guest, without translation. */
  private static final class Memory implements BusMaster {
    final MemorySegment bytes = MemorySegment.ofArray(new byte[(int) MEMORY]);

    @Override
    public int read(long dmaAddress, MemorySegment target, long offset, long length) {
      boolean inside = dmaAddress >= 0 && dmaAddress <= MEMORY - length;
      if (inside) {
        MemorySegment.copy(bytes, dmaAddress, target, offset, length);
      }
      return inside ? OK : UNSUPPORTED_REQUEST;
    }

    @Override
    public int write(long dmaAddress, MemorySegment source, long offset, long length) {
      boolean inside = dmaAddress >= 0 && dmaAddress <= MEMORY - length;
      if (inside) {
        MemorySegment.copy(source, offset, bytes, dmaAddress, length);
      }
      return inside ? OK : UNSUPPORTED_REQUEST;
    }
  }

  /** A device with its guest's memory; queue q has its submissions at page 2q, its completions behind them. */
  private static final class Device {
    final Memory memory = new Memory();
    final InternalMemory internal = new InternalMemory(CONFIG.internalPages());
    final CopyEngine engine = new CopyEngine(CONFIG, internal);
    final DeviceImage image = new DeviceImage(engine, internal);
    final GuestBus bus = new GuestBus(memory, new WriteLog(1));

    Device() {
      bus.length = MEMORY;
      turnOn();
    }

    void turnOn() {
      for (int queue = 0; queue < engine.queues(); queue++) {
        engine.write(queue, Registers.SUBMISSIONS, submissions(queue));
        engine.write(queue, Registers.COMPLETIONS, submissions(queue) + COMPLETIONS);
        engine.write(queue, Registers.ENTRIES, ENTRIES);
      }
    }

    static long submissions(int queue) {
      return 2 * PAGE * queue;
    }

    void submit(int queue, int count, long length) {
      for (int i = 0; i < count; i++) {
        long at = submissions(queue) + i * CommandLayout.SUBMISSION;
        memory.bytes.set(CommandLayout.U32, at + CommandLayout.OPCODE, CommandLayout.FILL);
        memory.bytes.set(CommandLayout.U32, at + CommandLayout.ID, i);
        memory.bytes.set(CommandLayout.U64, at + CommandLayout.TARGET, 16 * PAGE + 4 * PAGE * i);
        memory.bytes.set(CommandLayout.U64, at + CommandLayout.LENGTH, length);
      }
      engine.write(queue, Registers.TAIL, count);
    }
  }

  @Test
  void imageOfADeviceThatNeverWasIsRefusedOrWorksLikeAnyOther() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    Device source = new Device();
    source.submit(0, 4, 2 * PAGE);
    source.submit(1, 4, PAGE);
    for (int i = 0; i < 6; i++) {
      source.engine.work(source.bus);
    }
    byte[] sound = source.image.save(false, 0);
    int engineBytes = source.engine.imageBytes();
    int refused = 0;
    for (int round = 0; round < 5_000; round++) {
      Device target = new Device();
      try {
        target.image.load(damage(sound, sound.length - engineBytes - Integer.BYTES - InternalMemory.PAGE, engineBytes, random));
      } catch (IllegalArgumentException e) {
        refused++;
        target.turnOn();
      }
      target.submit(0, 1, PAGE);
      for (int piece = 0; piece < 64 && target.engine.hasWork(); piece++) {
        target.engine.work(target.bus);
      }
    }
    assertThat(refused).as(Seeds.repeat(Seeds.SEED)).isPositive();
  }

  /** Change a word of the engine's state, or cut the image, and make the checksum right again. */
  private static byte[] damage(byte[] sound, int from, int length, SplittableRandom random) {
    ByteBuffer image = ByteBuffer.wrap(sound.clone()).order(ByteOrder.LITTLE_ENDIAN);
    if (random.nextInt(4) == 0) {
      int cut = from + random.nextInt(sound.length - from);
      image = ByteBuffer.wrap(Arrays.copyOf(sound, cut)).order(ByteOrder.LITTLE_ENDIAN).putInt(IMAGE_LENGTH_AT, cut);
    } else {
      int[] values = {-1, 0, 1, 3, Integer.MIN_VALUE, Integer.MAX_VALUE, random.nextInt()};
      image.putInt(from + Integer.BYTES * random.nextInt(length / Integer.BYTES), values[random.nextInt(values.length)]);
    }
    CRC32C crc = new CRC32C();
    image.putInt(IMAGE_CRC_AT, 0);
    crc.update(image.array());
    return image.putInt(IMAGE_CRC_AT, (int) crc.getValue()).array();
  }

  @Test
  void queueThatIsTurnedOffWritesNothingMoreAndLeavesItsPlacesToOthers() {
    Device device = new Device();
    device.submit(0, CONFIG.inFlight(), 4 * PAGE);
    for (int i = 0; i < CONFIG.inFlight(); i++) {
      device.engine.work(device.bus);
    }
    assertThat(device.engine.inFlight()).isEqualTo(CONFIG.inFlight());
    device.engine.write(0, Registers.ENTRIES, 0);
    device.memory.bytes.asSlice(16 * PAGE).fill((byte) 5);
    assertThat(device.engine.hasWork()).isFalse();
    device.submit(1, 1, PAGE);
    while (device.engine.work(device.bus)) {
      // until everything is done
    }
    assertThat(device.memory.bytes.get(CommandLayout.U32, Device.submissions(1) + COMPLETIONS + CommandLayout.PHASE)).as("the other queue's command completed").isEqualTo(1);
    assertThat(device.memory.bytes.asSlice(17 * PAGE).mismatch(fives(MEMORY - 17 * PAGE))).isEqualTo(-1);
  }

  @Test
  void queueThatIsTurnedOnAgainBeginsAtItsBeginning() {
    Device device = new Device();
    for (int run = 0; run < 3; run++) {
      device.submit(0, 3, PAGE);
      workToTheEnd(device);
      for (int i = 0; i < 4; i++) {
        int phase = device.memory.bytes.get(CommandLayout.U32, Device.submissions(0) + COMPLETIONS + i * CommandLayout.COMPLETION + CommandLayout.PHASE);
        assertThat(phase).as("completion %d of run %d", i, run).isEqualTo(i < 3 ? 1 : 0);
      }
      if (run != 1) {
        device.engine.write(0, Registers.ENTRIES, 0);
      } else {
        // The device turns it off itself: there are no submissions.
        device.engine.write(0, Registers.SUBMISSIONS, MEMORY);
        device.engine.write(0, Registers.TAIL, 4);
        workToTheEnd(device);
      }
      assertThat(device.engine.queue(0).isOff()).isTrue();
      device.memory.bytes.fill((byte) 0);
      device.turnOn();
    }
  }

  private static void workToTheEnd(Device device) {
    while (device.engine.hasWork()) {
      device.engine.work(device.bus);
    }
  }

  /** A device ends the commands of a queue that it turns off, so that none can be at one. */
  @Test
  void imageWithCommandsOfAQueueThatIsOffIsRefused() {
    Device source = new Device();
    source.submit(0, 1, 2 * PAGE);
    source.engine.work(source.bus);
    assertThat(source.engine.inFlight()).isEqualTo(1);
    byte[] sound = source.image.save(false, 0);
    int entries = sound.length - source.engine.imageBytes() - Integer.BYTES - InternalMemory.PAGE + 24 + 16;
    ByteBuffer image = ByteBuffer.wrap(sound).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(image.getInt(entries)).isEqualTo(ENTRIES);
    image.putInt(entries, 0).putInt(IMAGE_CRC_AT, 0);
    CRC32C crc = new CRC32C();
    crc.update(sound);
    image.putInt(IMAGE_CRC_AT, (int) crc.getValue());
    Device target = new Device();
    assertThatIllegalArgumentException().isThrownBy(() -> target.image.load(sound));
    assertThat(target.engine.inFlight()).isZero();
  }

  private static MemorySegment fives(long length) {
    return MemorySegment.ofArray(new byte[(int) length]).fill((byte) 5);
  }
}
