package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.TO_DEVICE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.DmaMappingException.Reason;
import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Units of exported buffers whose link failed and which the stack then does not take out: the device reaches them, so they keep the buffer. */
class UnitsThatStayTest {
  private static final long PAGE = 4096;

  /** Pages of the buffer: one more than a window links at once. */
  private static final int PAGES = WindowScratch.RUN + 1;

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void aRevokeTakesThemOut(Rig.Kind kind) {
    Case c = new Case(kind);
    c.refuseAndKeep(0, 2 * PAGE);
    assertThat(c.rig.deviceRead(c.window.address())).as("still there").isZero();
    assertThat(c.exported.mappings()).isEqualTo(2);
    assertThatThrownBy(c.exported::close).isInstanceOf(IllegalStateException.class);

    assertThat(c.exported.revoke().toCompletableFuture()).isCompleted();
    assertThat(c.rig.isUnreachable(c.window.address())).isTrue();
    c.window.unlink(0, 2 * PAGE);
    c.nothingIsLeft();
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void anUnlinkTakesThemOutAndTheCloseOfTheWindowTheRest(Rig.Kind kind) {
    Case c = new Case(kind);
    c.refuseAndKeep(PAGE, 3 * PAGE);
    c.window.unlink(2 * PAGE, PAGE);
    assertThat(c.exported.mappings()).isEqualTo(2);
    c.nothingIsLeft();
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void whatWasNotLinkedIsLetGoOf(Rig.Kind kind) {
    Case c = new Case(kind);
    c.rig.faults.failFrom(1);
    Throwable failure = catchThrowable(() -> c.window.link(0, c.imported, 0, PAGES * PAGE, TO_DEVICE, null));
    c.rig.faults.off();
    assertThat(failure).hasMessageContaining("injected failure of link");
    assertThat(failure.getSuppressed()).singleElement().asString().contains("injected failure of unlink");
    assertThat(c.window.isLinked((PAGES - 2) * PAGE)).isTrue();
    assertThat(c.window.isLinked((PAGES - 1) * PAGE)).isFalse();
    assertThat(c.exported.mappings()).isEqualTo(PAGES - 1);
    c.nothingIsLeft();
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void aBufferTakenBackMeanwhileIsGoneWhenTheyAreUnlinked(Rig.Kind kind) {
    Case c = new Case(kind);
    CompletableFuture<Void> gone = new CompletableFuture<>();
    assertThatThrownBy(
            () ->
                c.window.link(
                    0,
                    c.imported,
                    0,
                    PAGE,
                    TO_DEVICE,
                    (dmaAddress, length, rangeKind) -> {
                      c.exported.revoke().thenAccept(gone::complete);
                      c.rig.faults.failAt(0);
                      return true;
                    }))
        .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.REVOKED));
    c.rig.faults.off();
    assertThat(c.rig.deviceRead(c.window.address())).as("still there").isZero();
    assertThat(c.told).as("import and window, each of which may be the one that listens").containsExactly("window", "import");
    assertThat(gone).isNotDone();
    c.window.unlink(0, PAGE);
    assertThat(gone).isCompleted();
    c.nothingIsLeft();
  }

  /** A window and a buffer that one of its links is to leave units of. */
  private static final class Case {
    final Rig rig;
    final FakeBlock block;
    final ExportedBuffer exported;
    final ImportedBuffer imported;
    final SparseWindow window;
    final List<String> told = new ArrayList<>();

    Case(Rig.Kind kind) {
      rig = new Rig(kind);
      block = rig.allocate(PAGES * PAGE, MemoryPlacement.SCATTERED);
      exported = ExportedBuffer.of(rig.machine, "frame", block.ranges(), TO_DEVICE);
      imported = exported.attach(rig.mapper, () -> told.add("import"));
      window = rig.mapper.newWindow((PAGES + 1) * PAGE, PAGE, TO_DEVICE, NONE);
      window.onRevoke(() -> told.add("window"));
    }

    /** Link units that the device reaches when the sink refuses the first and unlinking fails. */
    void refuseAndKeep(long offset, long length) {
      DmaSink refusing =
          (dmaAddress, bytes, kind) -> {
            rig.faults.failAt(0);
            return false;
          };
      assertThatThrownBy(() -> window.link(offset, imported, 0, length, TO_DEVICE, refusing))
          .as("not -1: it is not undone")
          .isInstanceOfSatisfying(DmaMappingException.class, e -> assertThat(e.reason()).isEqualTo(Reason.QUARANTINED))
          .hasMessageContaining("the sink refused entry")
          .cause()
          .hasMessageContaining("injected failure of unlink");
      rig.faults.off();
    }

    void nothingIsLeft() {
      window.close();
      assertThat(exported.mappings()).isZero();
      imported.close();
      exported.close();
      assertThat(rig.accounts()).startsWith("pins 0, granules 0, slots 0, runs 0, live 0, quarantined 0,");
    }
  }
}
