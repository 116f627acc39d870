package io.twostep.backend.debug;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.FROM_DEVICE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.backend.swiotlb.SwiotlbBackend;
import io.twostep.backend.swiotlb.SwiotlbConfig;
import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMapping;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.IovaReservation;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Settings;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** What happens on a report, which reports there are, and how much the checker remembers. */
class ModesTest {
  private static final long PAGE = Rig.PAGE;

  @Test
  void throwingHappensBeforeAnythingIsMapped() {
    try (Rig rig = rig("on-error", "throw")) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping first = rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE);
      assertThatThrownBy(() -> rig.mapper.map(block.phys(0), PAGE, FROM_DEVICE, NONE))
          .isInstanceOfSatisfying(CheckerException.class, e -> assertThat(e.rule()).isEqualTo(Rule.OVERLAPPING_WRITE))
          .hasCauseInstanceOf(Origin.class);
      assertThat(rig.mapper.liveMappings()).isEqualTo(1);
      first.close();
      rig.mapper.close();
      assertThatCode(rig.checker::close).doesNotThrowAnyException();
    }
  }

  @Test
  void whatCannotBeThrownAtOnceIsThrownWhenTheLayerIsClosed() {
    try (Rig rig = rig("on-error", "throw")) {
      MemoryBlock block = rig.allocate(PAGE);
      DmaMapping mapping = rig.mapper.map(block.phys(0), PAGE, TO_DEVICE, NONE);
      block.segment().fill((byte) 1);
      mapping.unmap();
      assertThatThrownBy(rig.checker::close)
          .isInstanceOfSatisfying(CheckerException.class, e -> assertThat(e.rule()).isEqualTo(Rule.CPU_WROTE_TOO_LATE));
    }
  }

  @Test
  void whatWasThrownAlreadyIsNotThrownInTheNameOfWhatWasNot() {
    Reports reports = new Reports(DebugConfig.defaults().withOnError(OnError.THROW));
    reports.note(Rule.CPU_WROTE_TOO_LATE, Rig.ADDRESS, 0, 1, "", null);
    assertThatThrownBy(() -> reports.crime(Rule.OVERLAPPING_WRITE, Rig.ADDRESS, 0, 1, "", null)).isInstanceOf(CheckerException.class);
    assertThatThrownBy(reports::throwTheRest)
        .isInstanceOfSatisfying(CheckerException.class, e -> assertThat(e.rule()).isEqualTo(Rule.CPU_WROTE_TOO_LATE));
  }

  @Test
  void whatCannotBeThrownAtOnceIsThrownAlsoWhereNoReportIsKept() {
    Reports reports = new Reports(DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("on-error", "throw", "limit", "0"))));
    reports.note(Rule.MEMORY_GONE, Rig.ADDRESS, 0, 1, "", null);
    assertThat(reports.kept()).isEmpty();
    assertThatThrownBy(reports::throwTheRest).isInstanceOfSatisfying(CheckerException.class, e -> assertThat(e.rule()).isEqualTo(Rule.MEMORY_GONE));
  }

  @Test
  void reportsBeyondTheLimitAreCountedOnly() {
    try (Rig rig = rig("limit", "2", "on-error", "count")) {
      for (int i = 0; i < 5; i++) {
        assertThatThrownBy(rig.mapper.newMapping()::unmap).isInstanceOf(IllegalStateException.class);
      }
      assertThat(rig.reports()).hasSize(2);
      assertThat(rig.checker.statistics().reports()).isEqualTo(5);
      assertThat(rig.checker.statistics().byRule()).containsExactly(Map.entry(Rule.NEVER_MAPPED, 5L));
      assertThat(rig.checker.statistics().verdict()).isEqualTo("checker: 0 mappings followed, 5 reports {NEVER_MAPPED=5}");
    }
  }

  @Test
  void reportsAreCountedInTheOrderOfTheRulesWhicheverCameFirst() {
    Reports reports = new Reports(DebugConfig.of(Settings.of(new DebugBackendPlugin(), Map.of("on-error", "count"))));
    for (Rule rule : List.of(Rule.values()).reversed()) {
      reports.note(rule, "0000:01:00.0", 0, 1, "", null);
    }
    assertThat(reports.counts().keySet()).containsExactly(Rule.values());
  }

  @Test
  void ignoredRulesAreNotReported() {
    try (Rig rig = rig("ignore", "never-mapped, torn-down-twice")) {
      assertThatThrownBy(rig.mapper.newMapping()::unmap).isInstanceOf(IllegalStateException.class);
      assertThat(rig.checker.statistics().reports()).isZero();
    }
  }

  @Test
  void reportsOfOtherCallersAreLeftOut() {
    try (Rig others = rig("caller", "com.example", "on-error", "count");
        Rig ours = rig("caller", "io.twostep.backend.debug.ModesTest", "on-error", "count")) {
      assertThatThrownBy(others.mapper.newMapping()::unmap).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(ours.mapper.newMapping()::unmap).isInstanceOf(IllegalStateException.class);
      assertThat(others.reports()).isEmpty();
      ours.only(Rule.NEVER_MAPPED, false);
    }
  }

  @Test
  void otherDevicesAreNotChecked() {
    try (Rig rig = rig("devices", "0000:09:00.0", "measure", "false")) {
      AttachContext context = new AttachContext(rig.machine, rig.slot, rig.machine.addressSpaceFor(rig.slot), DeviceLimits.UNLIMITED, 0);
      DmaOps below = rig.terminal.attach(context);
      assertThat(rig.checker.attach(context, below)).isSameAs(below);
      rig.checker.close();
      assertThatThrownBy(() -> rig.checker.attach(context, below)).as("once it is closed").hasMessage(Rig.ADDRESS + ": layer debug is closed; make a new one");
    }
  }

  @Test
  void withoutTracesReportsStillNameDeviceRangeAndRule() {
    try (Rig rig = rig("traces", "false", "on-error", "count")) {
      DmaMapping mapping = rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE);
      mapping.unmap();
      assertThatThrownBy(mapping::unmap).isInstanceOf(IllegalStateException.class);
      Report report = rig.only(Rule.TORN_DOWN_TWICE, false);
      assertThat(report.text(8)).isEqualTo(report.headline());
    }
  }

  @Test
  void withoutRoomCheckingEndsAndMappingGoesOn() {
    try (Rig rig = rig("entries", "16", "on-error", "count")) {
      MemoryBlock block = rig.allocate(16 * PAGE);
      DmaMapping[] mappings = new DmaMapping[12];
      for (int i = 0; i < mappings.length; i++) {
        mappings[i] = rig.mapper.map(block.phys(i * PAGE), PAGE, TO_DEVICE, NONE);
      }
      assertThat(rig.checker.statistics().ended()).isTrue();
      assertThat(rig.checker.statistics().entries()).isLessThanOrEqualTo(16);
      for (DmaMapping mapping : mappings) {
        assertThat(rig.device.read(mapping.dmaAddress(), 4)).hasSize(4);
        mapping.close();
      }
      assertThat(rig.checker.statistics().entries()).isZero();
      assertThat(rig.reports()).isEmpty();
      assertThat(rig.mapper.liveMappings()).isZero();
    }
  }

  @Test
  void withoutRoomNothingIsSaidOfWhatIsNotFollowed() {
    try (Rig rig = rig("entries", "16", "on-error", "count")) {
      long phys = rig.allocate(24 * PAGE).phys(0);
      DmaMapping mapping = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
      mapping.unmap();
      IovaReservation window = rig.mapper.newReservation();
      linkAndSync(window, phys);
      window.destroy();
      IovaReservation live = rig.mapper.newReservation();
      linkAndSync(live, phys);
      DmaMapping[] others = new DmaMapping[16];
      for (int i = 0; i < others.length; i++) {
        others[i] = rig.mapper.map(phys + (4 + i) * PAGE, PAGE, TO_DEVICE, NONE);
      }
      assertThat(rig.checker.statistics().ended()).isTrue();
      live.link(2 * PAGE, phys + 2 * PAGE, PAGE);
      assertThat(Objects.requireNonNull(rig.checker.ledger().uses(rig.machine).before(phys)).region).as("what is not followed any more is not held").isNull();
      live.unlink(2 * PAGE, PAGE);

      mapping.map(phys, PAGE, TO_DEVICE, NONE);
      mapping.syncForDevice(0, PAGE);
      mapping.unmap();
      assertThatThrownBy(mapping::unmap).isInstanceOf(IllegalStateException.class);
      linkAndSync(window, phys);
      window.unlink(0, PAGE);
      window.destroy();
      live.link(PAGE, phys + PAGE, PAGE);
      live.sync(PAGE, PAGE);
      live.syncForDevice(0, 2 * PAGE);
      live.unlink(PAGE, PAGE);
      assertThatThrownBy(() -> rig.device.read(live.address() + PAGE, 4)).isInstanceOf(IllegalStateException.class);
      live.destroy();
      for (DmaMapping other : others) {
        other.close();
      }
      assertThat(rig.reports()).isEmpty();
      assertThat(rig.checker.statistics().entries()).isZero();
    }
  }

  @Test
  void whatIsTornDownIsRememberedByNameAndHoldsNoMemoryOfTheCaller() {
    try (Rig rig = new Rig(true, Rig.QUIET, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED, new SwiotlbBackend(SwiotlbConfig.defaults().withSize(1 << 20, 1 << 20)))) {
      long phys = rig.allocate(4 * PAGE).phys(0);
      DmaMapping staged = rig.mapper.map(MemorySegment.ofArray(new byte[100]), TO_DEVICE, NONE);
      DmaMapping mapped = rig.mapper.map(phys, PAGE, TO_DEVICE, NONE);
      IovaReservation window = rig.mapper.newReservation();
      assertThat(window.tryAlloc(0, 4 * PAGE, TO_DEVICE, NONE)).isTrue();
      window.link(0, phys + PAGE, 3 * PAGE);
      window.sync(0, 3 * PAGE);
      window.unlink(0, PAGE);
      long[] addresses = {staged.dmaAddress(), mapped.dmaAddress(), window.address() + 2 * PAGE};
      staged.unmap();
      mapped.unmap();
      window.destroy();

      for (long address : addresses) {
        Tracked gone = Objects.requireNonNull(rig.checker.ledger().space(rig.machine.addressSpaceFor(rig.slot)).lastAt(address));
        assertThat(gone.all()).isEmpty();
        assertThat(gone.foreign).isNull();
      }
      Uses uses = rig.checker.ledger().uses(rig.machine);
      for (long at = phys; at < phys + 4 * PAGE; at += PAGE) {
        Link gone = Objects.requireNonNull(uses.before(at));
        assertThat(gone.sums).as("page at 0x%x", at).isNull();
        assertThat(gone.region).as("page at 0x%x", at).isNull();
      }
      assertThat(rig.reports()).isEmpty();
    }
  }

  @Test
  void attemptsToReleaseTheQuarantineThatFailAddNothingToWhatIsRemembered() {
    TeardownHook host = new TeardownHook();
    try (Rig rig = Rig.translated(host)) {
      DmaMapping mapping = rig.mapper.map(rig.allocate(PAGE).phys(0), PAGE, TO_DEVICE, NONE);
      host.next = ModesTest::refuse;
      assertThatThrownBy(mapping::unmap).isInstanceOf(DmaMappingException.class);
      for (int i = 0; i < 10; i++) {
        host.next = ModesTest::refuse;
        assertThat(rig.mapper.releaseQuarantined()).isEqualTo(1);
      }
      assertThat(rig.checker.ledger().debts()).hasSizeLessThanOrEqualTo(2);
      assertThat(rig.mapper.releaseQuarantined()).isZero();
      assertThat(rig.checker.ledger().debts()).isEmpty();
      assertThat(rig.reports()).isEmpty();
    }
  }

  private static void refuse() {
    throw new DmaMappingException(Reason.QUARANTINED, "not confirmed");
  }

  private static void linkAndSync(IovaReservation window, long phys) {
    assertThat(window.tryAlloc(0, 4 * PAGE, TO_DEVICE, NONE)).isTrue();
    window.link(0, phys, PAGE);
    window.sync(0, PAGE);
  }

  @Test
  void thePluginIsALayerCalledDebug() {
    DebugBackendPlugin plugin = new DebugBackendPlugin();
    assertThat(plugin.name()).isEqualTo("debug");
    assertThat(plugin.layer()).isTrue();
  }

  @Test
  void unknownRulesInSettingsAreNamed() {
    Settings settings = Settings.of(new DebugBackendPlugin(), Map.of("ignore", "nonsense"));
    assertThatThrownBy(() -> new DebugBackendPlugin().create(settings)).isInstanceOf(IllegalArgumentException.class).hasMessageContaining("'nonsense'").hasMessageContaining("sync-of-hole");
  }

  private static Rig rig(String... settings) {
    Map<String, String> given = new HashMap<>();
    for (int i = 0; i < settings.length; i += 2) {
      given.put(settings[i], settings[i + 1]);
    }
    DebugConfig config = DebugConfig.of(Settings.of(new DebugBackendPlugin(), given));
    return new Rig(true, config, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED);
  }
}
