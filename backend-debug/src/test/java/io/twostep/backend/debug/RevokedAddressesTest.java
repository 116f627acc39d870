package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.debug.BrokenLayer.Fault;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.PeerMemory;
import io.twostep.tck.ProbeDevice;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A mapping whose memory was taken back is no mapping any more, but has its addresses until its driver lets go. */
class RevokedAddressesTest {
  private static final long PAGE = Rig.PAGE;

  private final BrokenLayer broken = new BrokenLayer(Fault.SAME_ADDRESS);
  private final Rig rig = Ground.PEERS.rig(Rig.QUIET, broken);
  private final PeerMemory peer = publish();
  private final DmaMapping mapping = rig.mapper.map(peer.phys(), PAGE, BIDIRECTIONAL, NONE);
  private final long address = mapping.dmaAddress();

  private PeerMemory publish() {
    ProbeDevice provider = ProbeDevice.withMemory(16 * PAGE);
    return PeerMemory.publish(rig.machine, rig.plug(Ground.BEHIND, provider), ProbeDevice.MEMORY_BAR, 0, provider.memoryLength());
  }

  @BeforeEach
  void takeBack() {
    peer.revoke().toCompletableFuture().join();
    assertThat(rig.checker.statistics().live()).isZero();
    assertThat(rig.reports()).isEmpty();
  }

  @AfterEach
  void close() {
    rig.close();
  }

  private void mapAtTheSameAddress() {
    broken.answerAddress(address);
    broken.begin();
    Rig.ignore(rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE));
  }

  private Report only(Rule rule) {
    assertThat(rig.reports()).as("reports").hasSize(1);
    Report report = rig.reports().getFirst();
    assertThat(report.rule()).isEqualTo(rule);
    assertThat(report.earlier()).isNotNull();
    return report;
  }

  @Test
  void theyAreNobodyElsesBeforeTheDriverUnmaps() {
    mapAtTheSameAddress();
    assertThat(only(Rule.BELOW_ADDRESS_REUSED_EARLY).headline()).contains("the driver has not let go", "whose memory was taken back");
  }

  @Test
  void theyAreAnybodysAfterTheDriverUnmapped() {
    mapping.unmap();
    mapAtTheSameAddress();
    assertThat(rig.reports()).isEmpty();
  }

  @Test
  void theirUseByTheDeviceSaysThatTheMemoryWasTakenBack() {
    assertThatThrownBy(() -> rig.device.write(address + 8, new byte[4])).isInstanceOf(IllegalStateException.class);
    Report report = only(Rule.DEVICE_USED_UNMAPPED);
    assertThat(report.first()).isEqualTo(address + 8);
    assertThat(report.headline()).contains("whose memory was taken back");
  }

  @Test
  void driversThatNeverUnmapLeak() {
    rig.mapper.close();
    Report report = only(Rule.LEAKED_MAPPING);
    assertThat(report.first()).isEqualTo(address);
    assertThat(report.headline()).contains("taken back, and the driver had not let go");
    rig.checker.close();
    assertThat(rig.reports()).hasSize(1);
  }

  @Test
  void driversThatUnmapLeakNothing() {
    mapping.close();
    rig.mapper.close();
    rig.checker.close();
    assertThat(rig.reports()).isEmpty();
    assertThat(rig.checker.statistics().entries()).isZero();
  }

  @Test
  void layersThatAreClosedBeforeTheirMapperNameThemToo() {
    rig.checker.close();
    assertThat(only(Rule.LEAKED_MAPPING).first()).isEqualTo(address);
  }
}
