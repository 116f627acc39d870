package io.twostep.examples.broken;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.twostep.dma.MemoryBlock;
import io.twostep.dma.MemoryPlacement;
import io.twostep.tck.BackendTck;
import io.twostep.tck.FaultPlan;
import io.twostep.tck.TckMachine;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.engine.discovery.MethodSelector;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.opentest4j.TestAbortedException;

/** Proves the kit: it finds no fault with a stack that is right, however unusual. */
class KitServesUnusualStacksTest {
  @ParameterizedTest
  @EnumSource
  void everyRuleHolds(UnusualStack.World world) {
    List<MethodSelector> selected =
        Arrays.stream(BackendTck.class.getMethods())
            .filter(method -> method.isAnnotationPresent(Test.class))
            .map(Method::getName)
            // These stacks are made here, and no service loader finds them.
            .filter(name -> !name.startsWith("p2a"))
            .map(name -> selectMethod(UnusualStack.class, name))
            .toList();
    UnusualStack.WORLD.set(world);
    LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selected).build();
    SummaryGeneratingListener summary = new SummaryGeneratingListener();
    LauncherFactory.create().execute(request, summary);
    StringWriter text = new StringWriter();
    summary.getSummary().printFailuresTo(new PrintWriter(text, true), 20);
    assertThat(summary.getSummary().getTestsStartedCount()).isGreaterThan(100);
    assertThat(summary.getSummary().getTotalFailureCount()).as("failures: %s", text).isZero();
  }

  @Test
  void sweepThatEndsBeforeTheWorkDoesIsReportedAsSkipped() {
    UnusualStack kit = new UnusualStack();
    kit.requireAllSwept(false);
    assertThatThrownBy(() -> kit.requireAllSwept(true)).isInstanceOf(TestAbortedException.class).hasMessageContaining("400");
  }

  @Test
  void memoryWithinBoundsIsCountedAndRefusedLikeAnyOther() {
    UnusualStack.WORLD.set(UnusualStack.World.EDGES_ON_WORDS);
    UnusualStack kit = new UnusualStack();
    TckMachine machine = kit.open(kit.setup()).machine();
    long highest = machine.memory().highestAddress();
    MemoryBlock block = machine.memory().allocateWithin(4096, MemoryPlacement.CONTIGUOUS, highest / 2, highest);
    assertThat(machine.leaks()).hasSize(1);
    block.close();
    assertThat(machine.leaks()).isEmpty();
    machine.faults().arm(FaultPlan.Call.ALLOCATE, 1);
    assertThatThrownBy(() -> machine.memory().allocateWithin(4096, MemoryPlacement.CONTIGUOUS, highest / 2, highest)).hasMessageContaining("the kit says so");
    machine.faults().disarm();
    machine.close();
  }
}
