package io.twostep.backend.iommu;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.Iommu;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.TableWalkingIommu;
import io.twostep.tck.ForwardingIommu;
import io.twostep.tck.ProbeDevice;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the device sees through an IOTLB that may answer with anything that was valid since the last invalidation. */
@Tag("may-break:device-used-beyond-end+device-used-hole+device-used-unknown-address+device-used-unlinked+device-used-unmapped+device-used-unsynced")
@Tag("may-break:device-used-wrong-direction+leaked-mapping+leaked-window+overlapping-write+too-many-overlaps")
class DeviceViewTest {
  private static final int STEPS = 300;

  @ParameterizedTest(name = "{0} {1} bits granule {2} {3}")
  @CsvSource({
    "vtd, 39, 4096, STRICT",
    "vtd, 48, 4096, STRICT",
    "vtd, 57, 4096, LAZY",
    "vtd, 48, 16384, LAZY",
    "vtd, 48, 65536, STRICT",
    "amd, 39, 4096, LAZY",
    "amd, 48, 4096, STRICT",
    "amd, 57, 4096, STRICT",
    "amd, 64, 16384, STRICT",
    "amd, 48, 65536, LAZY",
  })
  void deviceSeesExactlyWhatIsMapped(String format, int bits, long granule, FlushPolicy flush) {
    IommuConfig config = IommuConfig.defaults().withGranule(granule).withFlush(flush).withIova32BitFirst(granule == 4096);
    run(iommu -> iommu, format, bits, config, seed());
  }

  @Test
  void hardwareWithoutSmallPagesIsServedWithLargerGranules() {
    for (String format : new String[] {"amd", "vtd"}) {
      String smallest = format.equals("amd") ? "64K" : "2M";
      Rig rig = new Rig("iotlb", "adversarial", "formats", format, "smallest-page", smallest);
      run(rig, 48, IommuConfig.defaults(), seed(), 60);
    }
  }

  @Test
  void forgottenInvalidationIsCaught() {
    Function<TableWalkingIommu, Iommu> forgetful =
        real ->
            new ForwardingIommu(real) {
              @Override
              public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {}
            };
    assertThat(runsThatFail(forgetful)).isPositive();
  }

  @Test
  void forgottenWordThatTablesChangedIsCaught() {
    Function<TableWalkingIommu, Iommu> forgetful =
        real ->
            new ForwardingIommu(real) {
              @Override
              public void invalidate(long firstIova, long lastIova, boolean tablesChanged) {
                real.invalidate(firstIova, lastIova, false);
              }
            };
    assertThat(runsThatFail(forgetful)).isPositive();
  }

  @Test
  void forgottenPublishIsCaught() {
    Function<TableWalkingIommu, Iommu> forgetful =
        real ->
            new ForwardingIommu(real) {
              @Override
              public void publish(long firstIova, long lastIova) {}
            };
    assertThat(runsThatFail(forgetful)).isPositive();
  }

  private static int runsThatFail(Function<TableWalkingIommu, Iommu> wrap) {
    int failures = 0;
    for (int i = 0; i < 4 && failures == 0; i++) {
      try {
        run(wrap, "vtd", 48, IommuConfig.defaults(), i);
      } catch (AssertionError | IllegalStateException e) {
        failures++;
      }
    }
    return failures;
  }

  private static void run(Function<TableWalkingIommu, Iommu> wrap, String format, int bits, IommuConfig config, long seed) {
    Rig rig =
        new Rig(wrap, "iotlb", "adversarial", "formats", format, "address-bits", Integer.toString(bits), "seed", Long.toString(seed & 0xffff));
    run(rig, bits, config, seed, STEPS);
  }

  private static void run(Rig rig, int bits, IommuConfig config, long seed, int steps) {
    try (rig) {
      ProbeDevice device = new ProbeDevice();
      DeviceSlot slot = rig.plug(device, SlotOptions.DEFAULT.withAddressBits(bits));
      IommuBackend backend = new IommuBackend(config);
      long framesBefore = rig.machine.stats().framesInUse();
      try (DmaMapper mapper = rig.attach(backend, slot, DeviceLimits.UNLIMITED)) {
        DeviceHistory history = new DeviceHistory(rig, mapper, device, config.flush() == FlushPolicy.STRICT, seed);
        try {
          history.run(steps);
          history.close();
          mapper.awaitQuiescence();
        } catch (AssertionError | RuntimeException e) {
          throw new AssertionError("-Dtwostep.seed=%d %s after%n%s".formatted(seed, config, history.log()), e);
        }
        assertThat(mapper.liveMappings()).isZero();
        assertThat(backend.statistics().liveRanges()).isZero();
        assertThat(backend.statistics().deferredRanges()).isZero();
      }
      assertThat(backend.statistics().leaks()).isZero();
      assertThat(backend.statistics().tableBytes()).isZero();
      backend.close();
      assertThat(rig.machine.stats().framesInUse()).isEqualTo(framesBefore);
      assertThat(rig.machine.stats().strayAccesses()).isZero();
    }
  }

  private static long seed() {
    return Long.getLong("twostep.seed", System.nanoTime());
  }
}
