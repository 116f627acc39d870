package io.twostep.device.vfio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.twostep.backend.direct.DirectBackend;
import io.twostep.device.vfio.dirty.DirtySource;
import io.twostep.device.vfio.fixture.CommandFaults;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.guest.GuestWorkload;
import io.twostep.device.vfio.model.MigratableModel;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.DeviceState;
import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.device.vfio.state.StateTable;
import io.twostep.device.vfio.stream.StreamException;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.DirtyBitmap;
import io.twostep.dma.DmaStack;
import io.twostep.dma.spi.AddressSpace.Translation;
import io.twostep.dma.spi.DeviceAddress;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import io.twostep.machine.model.FailNth.Kind;
import io.twostep.machine.model.ModelMachine;
import io.twostep.machine.model.ModelMachineConfig;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One device through its states, while its guest keeps it busy. */
class MigratableDeviceTest {
  private static final long GUEST = 512 << 10;
  private static final ModelConfig SLOW = ModelConfig.DEFAULT.withPagesPerTurn(2);

  /** A device at work. */
  private static final class Busy implements AutoCloseable {
    final Host host;
    final GuestWorkload workload;
    private long submitted;

    Busy(ModelConfig config) {
      host = new Host(Seeds.SEED, "adversarial", GUEST, 1, config);
      workload = new GuestWorkload(host.guest, device().guestRegisters(), 0, GUEST, Seeds.SEED);
    }

    MigratableDevice device() {
      return host.devices.getFirst();
    }

    MigratableModel model() {
      return host.models.getFirst();
    }

    void live(int pauses) {
      for (int i = 0; i < pauses; i++) {
        if (device().state().startsDma()) {
          submitted += 20_000;
          workload.work(submitted);
        }
        host.machine.timers().pause();
      }
    }

    byte[] readAll() {
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      ByteBuffer piece = ByteBuffer.allocate(1000);
      while (device().saveStream().read(piece.clear()) > 0) {
        all.write(piece.array(), 0, piece.position());
      }
      return all.toByteArray();
    }

    @Override
    public void close() {
      host.close();
    }
  }

  private static Host idle(ModelConfig config) {
    return new Host(Seeds.SEED + 1, "adversarial", GUEST, 1, config);
  }

  private static void load(MigratableDevice device, byte[] state, SplittableRandom random) {
    for (int at = 0; at < state.length; ) {
      int count = Math.min(state.length - at, 1 + random.nextInt(5000));
      device.loadStream().write(ByteBuffer.wrap(state, at, count));
      at += count;
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void aDeviceGoesWhereverTheTableLeadsAndWorksWhereItShould(int bits) {
    MigrationFeatures features = MigrationFeatures.of(bits);
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (Busy busy = new Busy(SLOW.withFeatures(features))) {
      for (int i = 0; i < 60; i++) {
        DeviceState target = DeviceState.of(1 + random.nextInt(7));
        DeviceState from = busy.device().state();
        boolean way = from != target && isWay(features, from, target) && from != DeviceState.RESUMING;
        if (way) {
          busy.device().setState(target);
          assertThat(busy.device().state()).isEqualTo(target);
        }
        if (busy.device().state() == DeviceState.RESUMING) {
          load(busy.device(), savedBy(features), random);
          busy.device().setState(DeviceState.STOP);
          busy.device().reset();
          return;
        }
        long pieces = busy.model().pieces();
        busy.live(10);
        assertThat(busy.model().pieces() > pieces).as("works in %s, %s", busy.device().state(), Seeds.repeat(Seeds.SEED)).isEqualTo(busy.device().state().startsDma());
      }
    }
  }

  private static boolean isWay(MigrationFeatures features, DeviceState from, DeviceState target) {
    try {
      StateTable.nextHop(features, from, target);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static byte[] savedBy(MigrationFeatures features) {
    try (Host host = idle(SLOW.withFeatures(features))) {
      host.devices.getFirst().setState(DeviceState.STOP_COPY);
      ByteBuffer all = ByteBuffer.allocate(1 << 20);
      while (host.devices.getFirst().saveStream().read(all) > 0) {
        // until its end
      }
      return Arrays.copyOf(all.array(), all.position());
    }
  }

  @Test
  void aStateWrittenInSlicesCutAnywhereIsTheSameState() {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    try (Busy busy = new Busy(SLOW)) {
      busy.live(50);
      busy.device().setState(DeviceState.PRE_COPY);
      ByteArrayOutputStream state = new ByteArrayOutputStream();
      for (int round = 0; round < 4; round++) {
        state.writeBytes(busy.readAll());
        busy.live(20);
        assertThat(busy.device().saveStream().dirtyBytes()).isPositive();
      }
      busy.device().setState(DeviceState.STOP_COPY);
      state.writeBytes(busy.readAll());
      for (int i = 0; i < 5; i++) {
        try (Host other = idle(SLOW)) {
          MigratableDevice device = other.devices.getFirst();
          device.setState(DeviceState.RESUMING);
          load(device, state.toByteArray(), random);
          assertThat(device.loadStream().loaded()).isGreaterThan(3);
          device.setState(DeviceState.STOP);
          assertThat(Arrays.mismatch(other.models.getFirst().state(), busy.model().state())).as("first byte that differs, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void readingTellsThatThereIsNothingYetWhileItRunsAndTheEndOnceItStopped() {
    try (Busy busy = new Busy(SLOW)) {
      busy.live(20);
      busy.device().setState(DeviceState.PRE_COPY);
      SaveStream stream = busy.device().saveStream();
      ByteBuffer piece = ByteBuffer.allocate(100);
      assertThat(stream.initialBytes()).isPositive();
      assertThat(stream.dirtyBytes()).isZero();
      busy.readAll();
      assertThat(stream.initialBytes()).isZero();
      assertThat(stream.read(piece.clear())).isEqualTo(SaveStream.NO_DATA_YET);
      busy.live(20);
      assertThat(stream.read(piece.clear())).as("nothing is saved unasked").isEqualTo(SaveStream.NO_DATA_YET);
      assertThat(stream.dirtyBytes()).isPositive();
      assertThat(stream.read(piece.clear())).isPositive();
      busy.device().setState(DeviceState.STOP_COPY);
      assertThat(busy.device().saveStream()).as("the stream goes on").isSameAs(stream);
      busy.readAll();
      assertThat(stream.read(piece.clear())).isEqualTo(SaveStream.END);
      assertThatExceptionOfType(MigrationException.class).isThrownBy(stream::dirtyBytes).withMessageContaining("while the device runs");
      busy.device().setState(DeviceState.STOP);
      assertThatIllegalStateException().isThrownBy(busy.device()::saveStream);
    }
  }

  @Test
  void aDeviceThatGaveNoAnswerTakesNoCommandUntilItIsReset() {
    try (Busy busy = new Busy(ModelConfig.DEFAULT)) {
      MigratableDevice device = busy.device();
      device.setState(DeviceState.PRE_COPY);
      busy.host.commands.hang(true);
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> device.setState(DeviceState.STOP_COPY))
          .withMessageContaining("no answer within 10 s; reset the device");
      busy.host.commands.hang(false);
      long late = busy.host.machine.timers().nanoTime();
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> device.setState(DeviceState.STOP_COPY))
          .withMessageContaining("an earlier command was never answered; reset the device");
      assertThat(busy.host.machine.timers().nanoTime()).as("nothing was waited for").isEqualTo(late);
      device.reset();
      device.setState(DeviceState.STOP_COPY);
      assertThat(busy.readAll()).isNotEmpty();
    }
  }

  @Test
  void memoryForNotesOfADeviceThatGaveNoAnswerIsKeptUntilItIsReset() {
    try (Host host = idle(SLOW)) {
      MigratableDevice device = host.devices.getFirst();
      long before = device.mapper().liveMappings();
      DirtySource source = device.newDirtySource(WriteTracking.DEVICE);
      source.start();
      long tracking = device.mapper().liveMappings();
      assertThat(tracking).isGreaterThan(before);
      host.commands.hang(true);
      assertThatExceptionOfType(MigrationException.class).isThrownBy(source::stop).withMessageContaining("reset the device");
      assertThat(device.mapper().liveMappings()).as("it may still be written").isEqualTo(tracking);
      host.commands.hang(false);
      device.reset();
      assertThat(device.mapper().liveMappings()).isEqualTo(before);
    }
  }

  @Test
  void resetEndsTheDevicesTrackingWhichCanBeStartedAgain() {
    try (Host host = idle(SLOW)) {
      MigratableDevice device = host.devices.getFirst();
      long before = device.mapper().liveMappings();
      DirtySource source = device.newDirtySource(WriteTracking.DEVICE);
      source.start();
      device.reset();
      assertThat(device.mapper().liveMappings()).as("memory for notes, which nobody writes").isEqualTo(before);
      DirtyBitmap written = host.guest.newBitmap();
      assertThatIllegalStateException().as("what was noted before is lost").isThrownBy(() -> source.collect(written));
      source.start();
      writeSome(host);
      source.collect(written);
      assertThat(written.dirtyPages()).as("pages written since").isPositive();
    }
  }

  @Test
  void resetLosesNothingThatTheIommuNoted() {
    try (Host host = idle(SLOW)) {
      DirtySource source = host.devices.getFirst().newDirtySource(WriteTracking.IOMMU);
      source.start();
      writeSome(host);
      host.devices.getFirst().reset();
      DirtyBitmap written = host.guest.newBitmap();
      source.collect(written);
      assertThat(written.dirtyPages()).isPositive();
    }
  }

  private static void writeSome(Host host) {
    GuestWorkload workload = new GuestWorkload(host.guest, host.devices.getFirst().guestRegisters(), 0, GUEST, 1);
    workload.work(100_000);
    while (workload.drain()) {
      host.machine.timers().pause();
    }
  }

  @Test
  void aDeviceThatNeitherStopsNorAnswersIsKeptFromTheGuestsMemoryAllTheSame() {
    try (Host host = idle(SLOW)) {
      MigratableDevice device = host.devices.getFirst();
      device.newDirtySource(WriteTracking.DEVICE).start();
      host.commands.arm(1);
      host.commands.deaf(true);
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(device::close)
          .withMessageContaining("stop tracking failed")
          .satisfies(e -> assertThat(e.getSuppressed()).singleElement().asString().contains("0000:01:00.0: does not answer"));
      assertThat(device.mapper().liveMappings()).isZero();
    }
  }

  @Test
  void leavingResumingBeforeAllArrivedIsRefusedAndOnlyAResetHelps() {
    byte[] state = savedBy(SLOW.features());
    for (int length : new int[] {0, 1, 39, 40, 100, state.length / 2, state.length - 1}) {
      try (Host host = idle(SLOW)) {
        MigratableDevice device = host.devices.getFirst();
        device.setState(DeviceState.RESUMING);
        device.loadStream().write(ByteBuffer.wrap(state, 0, length));
        assertThatExceptionOfType(StreamException.class).as(length + " bytes").isThrownBy(() -> device.setState(DeviceState.RUNNING)).extracting(StreamException::kind).isEqualTo(StreamException.Kind.TRUNCATED);
        assertThat(device.state()).isEqualTo(DeviceState.ERROR);
        assertThatIllegalArgumentException().isThrownBy(() -> device.setState(DeviceState.RUNNING)).withMessageContaining("only a reset leads out of ERROR");
        device.reset();
        assertThat(device.state()).isEqualTo(DeviceState.RUNNING);
        GuestWorkload workload = new GuestWorkload(host.guest, device.guestRegisters(), 0, GUEST, 1);
        workload.work(100_000);
        while (workload.drain()) {
          host.machine.timers().pause();
        }
        assertThat(workload.mistakes()).isZero();
      }
    }
  }

  @Test
  void theStateOfAnotherKindOfDeviceIsRefused() {
    byte[] state = savedBy(SLOW.features());
    try (Host host = idle(SLOW.withInternalPages(5))) {
      MigratableDevice device = host.devices.getFirst();
      device.setState(DeviceState.RESUMING);
      assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> load(device, state, new SplittableRandom(1)));
      assertThatExceptionOfType(StreamException.class).isThrownBy(() -> device.setState(DeviceState.STOP));
      assertThat(device.state()).isEqualTo(DeviceState.ERROR);
    }
  }

  @Test
  void aDeviceThatFailsToSaveStaysWhereItWasAndCanTryAgain() {
    try (Busy busy = new Busy(SLOW)) {
      busy.live(20);
      busy.device().setState(DeviceState.STOP);
      busy.host.machine.failNth().arm(Kind.BUS_WRITE, 2);
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> busy.device().setState(DeviceState.STOP_COPY))
          .withMessageContaining("save failed: the bus refused an access")
          .extracting(MigrationException::kind)
          .isEqualTo(MigrationException.Kind.DEVICE);
      assertThat(busy.device().state()).isEqualTo(DeviceState.STOP);
      busy.device().setState(DeviceState.STOP_COPY);
      assertThat(busy.readAll()).isNotEmpty();
      busy.device().setState(DeviceState.RUNNING);
      busy.live(50);
      while (busy.workload.drain()) {
        busy.host.machine.timers().pause();
      }
      assertThat(busy.workload.mistakes()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 5, 7})
  void aDeviceThatFailsOnLeavingStopCopyWorksAtTheNextTry(int bits) {
    boolean fired = true;
    for (int nth = 1; fired; nth++) {
      try (Busy busy = new Busy(SLOW.withFeatures(MigrationFeatures.of(bits)))) {
        MigratableDevice device = busy.device();
        busy.live(20);
        device.setState(DeviceState.STOP_COPY);
        busy.host.commands.arm(nth);
        try {
          device.setState(DeviceState.RUNNING);
        } catch (MigrationException e) {
          assertThat(device.state()).as("after command %d", nth).isNotEqualTo(DeviceState.STOP_COPY);
        }
        fired = busy.host.commands.fired();
        busy.host.commands.arm(0);
        device.setState(DeviceState.STOP_COPY);
        assertThat(busy.readAll()).isNotEmpty();
        device.setState(DeviceState.RUNNING);
        busy.live(20);
        while (busy.workload.drain()) {
          busy.host.machine.timers().pause();
        }
        assertThat(busy.workload.mistakes()).isZero();
      }
    }
  }

  @Test
  void savingAgainAndAgainTakesNoMoreMemory() {
    try (Busy busy = new Busy(SLOW)) {
      long frames = 0;
      for (int i = 0; i < 30; i++) {
        busy.live(10);
        busy.device().setState(DeviceState.PRE_COPY);
        busy.readAll();
        busy.device().setState(DeviceState.STOP_COPY);
        busy.readAll();
        busy.device().setState(DeviceState.RUNNING);
        if (i == 2) {
          frames = busy.host.machine.stats().framesInUse();
        }
      }
      assertThat(busy.host.machine.stats().framesInUse()).isEqualTo(frames);
      assertThat(busy.device().buffers().windows()).as("ranges of I/O addresses for 60 saves").isLessThan(6);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1L << 31, 0xffff_ffffL})
  void aDeviceWhoseStateHasNoSizeThatABufferCanHaveIsRefused(long bytes) {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M")))) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new MigratableModel(SLOW), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      DriverContext context = DriverContext.of(machine, slot, DmaStack.of(new DirectBackend()), Settings.defaults(new MigratableDriverPlugin()));
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> MigratableDevice.open(CommandFaults.lying(Registers.CAPABILITIES, bytes << Registers.IMAGE_SHIFT | 7, context)))
          .withMessageContaining("0000:01:00.0")
          .withMessageContaining("2 GiB");
    }
  }

  @Test
  void withoutTranslationADeviceGetsNoGuest() {
    try (ModelMachine machine = ModelMachine.create(ModelMachineConfig.of(Map.of("memory", "64M")))) {
      DeviceSlot slot = machine.plug(new DeviceAddress("0000:01:00.0"), new MigratableModel(SLOW), SlotOptions.DEFAULT.withTranslation(Translation.NONE));
      try (MigratableDevice device =
              MigratableDevice.open(DriverContext.of(machine, slot, DmaStack.of(new DirectBackend()), Settings.defaults(new MigratableDriverPlugin())));
          GuestMemory guest = new GuestMemory(machine.memory(), 4096)) {
        assertThatExceptionOfType(MigrationException.class).isThrownBy(() -> device.assign(guest)).withMessageContaining("needs an IOMMU");
        assertThatIllegalStateException().isThrownBy(device::window);
      }
    }
  }
}
