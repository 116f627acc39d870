package io.twostep.dma;

import static io.twostep.dma.DmaAttributes.NONE;
import static io.twostep.dma.DmaDirection.BIDIRECTIONAL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.twostep.dma.fake.FakeBlock;
import io.twostep.dma.fake.Rig;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a thread keeps for its calls on windows is shared by all of them: an error that ends a call on one must not be met by the next. */
class WindowScratchTest {
  private static final long PAGE = 4096;

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST", "DIRECT"})
  void anErrorInOneWindowIsNotMetByTheNext(Rig.Kind kind) {
    int errors = 0;
    for (boolean reached = true; reached; errors++) {
      reached = endsInError(new Rig(kind), errors);
      Rig other = new Rig(kind);
      FakeBlock block = other.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
      try (SparseWindow window = other.mapper.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE)) {
        long address = window.link(0, block.phys(0), PAGE, BIDIRECTIONAL);
        assertThat(other.reached(address, 0)).isEqualTo(block.phys(0));
        window.unlink(0, PAGE);
      }
      assertThat(other.memory.pins()).isZero();
    }
    assertThat(errors).as("calls below that ended in an error").isGreaterThan(kind.translates ? 1 : 0);
  }

  @ParameterizedTest
  @EnumSource(value = Rig.Kind.class, names = {"TRANSLATING", "HOST"})
  void whatTheDeviceStillReachesAfterAnErrorStaysHeld(Rig.Kind kind) {
    boolean reached = true;
    for (int call = 0; reached; call++) {
      Rig rig = new Rig(kind);
      FakeBlock block = rig.allocate(2 * PAGE, MemoryPlacement.SCATTERED);
      SparseWindow window = rig.mapper.newWindow(2 * PAGE, PAGE, BIDIRECTIONAL, NONE);
      window.link(0, block.ranges(), BIDIRECTIONAL, null);
      rig.faults.errorAt(call);
      Throwable failure = catchThrowable(() -> window.unlink(0, 2 * PAGE));
      reached = rig.faults.hasFailed();
      rig.faults.off();
      assertThat(failure != null).isEqualTo(reached);
      for (long at = 0; at < 2 * PAGE; at += PAGE) {
        if (!rig.isUnreachable(window.address() + at)) {
          assertThat(rig.memory.pins()).as("error of call %d", call).isEqualTo(2);
        }
      }
    }
  }

  @Test
  void aThreadHasOneScratchAndAnotherForACallWithinACall() throws Exception {
    WindowScratch own = WindowScratch.take();
    WindowScratch inner = WindowScratch.take();
    assertThat(inner).isNotSameAs(own);
    inner.giveBack();
    assertThat(WindowScratch.take()).as("while the outer call runs").isNotSameAs(own).isNotSameAs(inner);
    own.giveBack();
    WindowScratch again = WindowScratch.take();
    assertThat(again).isSameAs(own);
    again.giveBack();
    try (ExecutorService other = Executors.newSingleThreadExecutor()) {
      assertThat(other.submit(WindowScratch::take).get()).isNotSameAs(own);
    }
  }

  @Test
  void whatOutlivesItsThreadKnowsNoStack() throws Exception {
    Rig rig = new Rig(Rig.Kind.DIRECT);
    Callable<Boolean> task =
        () -> {
          WindowScratch scratch = WindowScratch.take();
          assertThat(scratch.isLatest()).isTrue();
          scratch.probe(rig.mapper.currentStack());
          scratch.giveBack();
          assertThat(WindowScratch.take()).as("the thread's own still").isSameAs(scratch);
          scratch.giveBack();
          return scratch.isLatest();
        };
    try (ExecutorService thread = Executors.newSingleThreadExecutor()) {
      assertThat(thread.submit(task).get()).isFalse();
    }
  }

  private static boolean endsInError(Rig rig, int call) {
    FakeBlock block = rig.allocate(PAGE, MemoryPlacement.CONTIGUOUS);
    SparseWindow window = rig.mapper.newWindow(PAGE, PAGE, BIDIRECTIONAL, NONE);
    window.link(0, block.phys(0), PAGE, BIDIRECTIONAL);
    rig.faults.errorAt(call);
    try {
      window.unlink(0, PAGE);
    } catch (AssertionError e) {
      assertThat(rig.faults.hasFailed()).isTrue();
    }
    return rig.faults.hasFailed();
  }
}
