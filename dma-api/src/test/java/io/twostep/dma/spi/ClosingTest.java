package io.twostep.dma.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final List<String> closed = new ArrayList<>();

  private Runnable failing(RuntimeException failure) {
    return () -> {
      throw failure;
    };
  }

  @Test
  void everyStepIsTakenAndTheFirstFailureIsThrownWithTheOthersInIt() {
    RuntimeException first = new IllegalStateException("first");
    RuntimeException second = new IllegalStateException("second");
    Closing closing = new Closing().then(() -> closed.add("a")).then(failing(first)).thenEach(List.of("b", "c"), closed::add).then(failing(second)).then(failing(first));
    assertThatThrownBy(closing::end).isSameAs(first).satisfies(e -> assertThat(e.getSuppressed()).containsExactly(second));
    assertThat(closed).containsExactly("a", "b", "c");
  }

  @Test
  void whatFailsWhileAFailureIsCleanedUpDoesNotHideIt() {
    RuntimeException cause = new IllegalStateException("cause");
    RuntimeException later = new IllegalStateException("later");
    assertThat(Closing.after(cause, failing(later), () -> closed.add("a"))).isSameAs(cause);
    assertThat(cause.getSuppressed()).containsExactly(later);
    assertThat(closed).containsExactly("a");
  }

  @Test
  void nothingIsThrownIfNothingFailed() {
    Closing closing = new Closing().then(() -> closed.add("a"));
    closing.end();
    assertThat(closing.failure()).isNull();
  }
}
