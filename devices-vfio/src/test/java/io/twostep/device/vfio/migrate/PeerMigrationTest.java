package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.guest.GuestQueue;
import io.twostep.device.vfio.model.ModelConfig;
import io.twostep.device.vfio.state.MigrationFeatures;
import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.device.vfio.wire.Registers;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Mmio;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Devices below one switch that write into each other's registers all the time, and migrate together. */
class PeerMigrationTest {
  private static final int DEVICES = 3;
  private static final int ENTRIES = 16;
  private static final String TREE =
      "host-bridge 8086:2020 bus=00-1f;root-port 00:01.0 bus=01-0f;upstream-port 01:00.0 bus=02-0f;downstream-port 02:00.0 bus=03;downstream-port 02:01.0 bus=04;downstream-port 02:02.0 bus=05";
  private static final MigrationConfig CONFIG = MigrationConfig.DEFAULT.withChunkBytes(8192).withDowntimeNanos(10_000).withPeers(true);

  private final List<GuestQueue> queues = new ArrayList<>();
  private boolean running = true;
  private int posted;
  private int done;

  private static Host host(ModelConfig config) {
    Map<String, String> settings = Map.of("memory", "64M", "tree", TREE, "seed", String.valueOf(Seeds.SEED & 0xffff_ffffL), "order", "random");
    List<String> places = List.of("0000:03:00.0", "0000:04:00.0", "0000:05:00.0");
    assertThat(places).hasSize(DEVICES);
    return new Host(settings, 256 << 10, places, config);
  }

  private static ModelConfig config(boolean peerToPeer) {
    return ModelConfig.DEFAULT.withPagesPerTurn(1).withInternalPages(4).withFeatures(new MigrationFeatures(peerToPeer, true));
  }

  private void takeUp(Host host, boolean first) {
    queues.clear();
    List<DeviceSlot> slots = host.machine.slots().stream().filter(slot -> slot.classCode() == 0x088000).toList();
    for (int i = 0; i < DEVICES; i++) {
      host.devices.get(i).allowPeer(slots.get((i + 1) % DEVICES).bar(0).busAddress() + Registers.MAILBOX, Long.BYTES);
      GuestQueue queue = new GuestQueue(host.guest, host.devices.get(i).guestRegisters(), 1, i * GuestMemory.PAGE, ENTRIES);
      if (first) {
        queue.start();
      }
      queues.add(queue);
    }
  }

  /** Every device posts to the next one, as fast as it can. */
  private void live(Host host) {
    if (running) {
      for (int i = 0; i < DEVICES; i++) {
        queues.get(i).poll((id, status) -> done += status == CommandLayout.SUCCESS ? 1 : -1_000_000);
        while (queues.get(i).trySubmit(CommandLayout.POST, posted, 0, 0, Long.BYTES, 1)) {
          posted++;
        }
      }
    }
    host.machine.timers().pause();
  }

  private static long received(Host host) {
    long sum = 0;
    for (int i = 0; i < DEVICES; i++) {
      Mmio registers = host.devices.get(i).guestRegisters();
      sum += registers.read64(Registers.MAILBOX);
    }
    return sum;
  }

  private GuestControl control(Runnable resumed) {
    return new GuestControl() {
      @Override
      public void pause() {
        running = false;
      }

      @Override
      public void resume() {
        running = true;
        resumed.run();
      }
    };
  }

  /** All of them are in one address space, so that the IOMMU tracks all or none. */
  @ParameterizedTest
  @EnumSource(names = {"DEVICE", "IOMMU"})
  void noWriteToAPeerIsLostOrMadeTwice(WriteTracking tracking) throws Exception {
    try (Host near = host(config(true));
        Host far = host(config(true))) {
      MemoryPipe pipe = new MemoryPipe(20_000);
      MemoryStore store = new MemoryStore();
      takeUp(near, true);
      MigrationSource source = new MigrationSource(near.guest, near.devices, pipe.near(), store, near.machine.timers(), control(() -> {}), CONFIG.withTracking(tracking), 9, Checkpoint.NONE);
      MigrationTarget target = new MigrationTarget(far.guest, far.devices, pipe.far(), pipe.far(), store, control(() -> takeUp(far, false)), Spool.NONE);
      while (!(source.phase().isEnd() && target.phase().isEnd())) {
        source.step();
        target.step();
        if (target.phase() == Phase.PREPARED) {
          assertThat(far.guest.segment().mismatch(near.guest.segment())).as("first byte of memory that differs, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(-1);
        }
        live(target.phase() == Phase.DONE ? far : near);
      }
      assertThat(source.phase()).isEqualTo(Phase.DONE);
      int before = done;
      for (int i = 0; i < 100; i++) {
        live(far);
      }
      running = false;
      for (int i = 0; i < 5000 && done < posted; i++) {
        far.machine.timers().pause();
        queues.forEach(queue -> queue.poll((id, status) -> done += status == CommandLayout.SUCCESS ? 1 : -1_000_000));
      }
      assertThat(before).isPositive();
      assertThat(done).as("posts done, %s", Seeds.repeat(Seeds.SEED)).isEqualTo(posted).isGreaterThan(before);
      assertThat(received(far)).as("posts that peers received").isEqualTo(posted);
      assertThat(near.models).allMatch(model -> model.refusedWrites() == 0);
    }
  }

  @Test
  void devicesThatWriteToEachOtherAndCannotBeQuietedFirstAreRefused() {
    try (Host near = host(config(false))) {
      assertThatExceptionOfType(MigrationException.class)
          .isThrownBy(() -> new MigrationSource(near.guest, near.devices, new MemoryPipe(1000).near(), new MemoryStore(), near.machine.timers(), GuestControl.NONE, CONFIG, 9, Checkpoint.NONE))
          .withMessageContaining("it has no P2P states")
          .extracting(MigrationException::kind)
          .isEqualTo(MigrationException.Kind.REFUSED);
    }
  }
}
