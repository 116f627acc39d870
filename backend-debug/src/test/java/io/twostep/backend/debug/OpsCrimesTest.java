package io.twostep.backend.debug;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.DeviceLimits;
import io.twostep.dma.DmaMappingException;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.MapFlags;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.ModelHost.SlotOptions;
import io.twostep.dma.spi.Retirement;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What no mapper does and a layer above might: calls on the ops themselves. */
class OpsCrimesTest {
  private static final long PAGE = Rig.PAGE;
  private static final int READ = MapFlags.DEVICE_READS;

  private final Rig rig = Rig.translated();
  private final AttachContext context =
      new AttachContext(rig.machine, rig.slot, rig.machine.addressSpaceFor(rig.slot), DeviceLimits.UNLIMITED, 0);
  private final DmaOps ops = rig.checker.attach(context, rig.terminal.attach(context));
  private final MemoryBlock block = rig.allocate(4 * PAGE);
  private final long phys = block.phys(0);
  private final MappingState state = new MappingState(1);
  private final Retirement batch = new Retirement();

  @AfterEach
  void close() {
    rig.close();
  }

  @Test
  void aStateThatIsLiveIsNotMappedAgain() {
    ops.map(state, phys, PAGE, READ, batch);
    ops.map(state, phys + PAGE, PAGE, READ, batch);
    rig.only(Rule.STATE_REUSED, true);
  }

  @Test
  void aStateThatWasGivenBackIsNotLinked() {
    ops.reserve(state, 0, 4 * PAGE, 0, -1L, READ);
    ops.release(state, batch);
    batch.complete();
    ops.publish(state, 0, PAGE, batch);
    rig.only(Rule.STATE_UNKNOWN, true);
  }

  @Test
  void aWindowIsNotUnmapped() {
    ops.reserve(state, 0, 4 * PAGE, 0, -1L, READ);
    ops.unmap(state, batch);
    rig.only(Rule.WRONG_TEARDOWN, true);
  }

  @Test
  void aLinkKeepsTheDirectionOfItsWindow() {
    ops.reserve(state, 0, 4 * PAGE, 0, -1L, READ);
    ops.link(state, 0, phys, PAGE, MapFlags.ACCESS, batch);
    rig.only(Rule.DIRECTION_CHANGED, true);
  }

  @Test
  void permissionsOfHolesAreNotChanged() {
    ops.reserve(state, 0, 4 * PAGE, 0, -1L, READ);
    assertThatThrownBy(() -> ops.protect(state, 0, PAGE, READ, batch)).isInstanceOf(DmaMappingException.class);
    rig.only(Rule.PROTECT_OF_HOLE, true);
  }

  @Test
  void releasesComeInOrderAndOnce() {
    ops.retire(Retirement.TABLES, 12345, 0, 0);
    rig.only(Rule.RETIRED_OUT_OF_ORDER, false);
  }

  @Test
  void unknownKindsOfMemoryAreReported() {
    BrokenLayer broken = new BrokenLayer(BrokenLayer.Fault.BAD_KIND, true);
    DmaOps over = rig.checker.attach(context, broken.attach(context, rig.terminal.attach(context)));
    assertThat(over.classify(phys, PAGE)).isEqualTo(42);
    rig.only(Rule.BELOW_BAD_KIND, false);
  }

  @Test
  void untrustedDevicesWithoutTranslationAreReported() {
    try (Rig direct = new Rig(false, Rig.QUIET, SlotOptions.DEFAULT, DeviceLimits.UNLIMITED)) {
      DmaOps terminal = direct.terminal.attach(context(direct));
      direct.checker.attach(new AttachContext(direct.machine, new Untrusted(direct.slot), direct.machine.addressSpaceFor(direct.slot), DeviceLimits.UNLIMITED, 0), terminal);
      direct.only(Rule.BELOW_UNTRUSTED_UNTRANSLATED, false);
    }
  }

  private static AttachContext context(Rig rig) {
    return new AttachContext(rig.machine, rig.slot, rig.machine.addressSpaceFor(rig.slot), DeviceLimits.UNLIMITED, 0);
  }
}
