package io.twostep.tck;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.jspecify.annotations.Nullable;

/** Every rule that holds for any stack; extended through {@link TerminalBackendTck} and {@link LayerBackendTck}. */
@TestInstance(TestInstance.Lifecycle.PER_METHOD)
public abstract class BackendTck
    implements PluginRules,
        OrderRules,
        AddressRules,
        ConfinementRules,
        LinearRules,
        UntrustedRules,
        OwnershipRules,
        CoherenceRules,
        FlushRules,
        HotPathRules,
        RefusalRules,
        BouncePoolRules,
        FailedRequestRules,
        WindowRules,
        DepartureRules,
        AccountingRules,
        PeerRules,
        DirtyRules,
        RestackRules,
        HistoryRules {
  private final List<TckRig> rigs = new ArrayList<>();
  @RegisterExtension private final DeclaredBehaviors declared = new DeclaredBehaviors();
  private @Nullable TckRig first;

  /** Create the class. */
  protected BackendTck() {}

  /** Return the stack, outermost first, the terminal last. */
  public abstract List<TckPart> stack();

  @Override
  public boolean has(Behavior behavior) {
    return declared.answer(behavior, behaviors().contains(behavior));
  }

  @Override
  public long edge() {
    return 1;
  }

  @Override
  public TckRig rig() {
    TckRig rig = first;
    if (rig == null) {
      rig = open(setup());
      first = rig;
    }
    return rig;
  }

  @Override
  public TckRig open(TckSetup other) {
    TckRig rig = new TckRig(other, stack());
    rigs.add(rig);
    return rig;
  }

  @Override
  public TckRig calm() {
    TckRig rig = TckRig.calm(setup(), stack());
    rigs.add(rig);
    return rig;
  }

  @Override
  public TckRig watchingStates() {
    assumeTrue(stack().size() > 1, "a terminal hands nothing down");
    TckRig rig = TckRig.watchingStates(setup(), stack());
    rigs.add(rig);
    return rig;
  }

  /** Close what the test opened; whatever is left of it fails the test. */
  @AfterEach
  void closeRigs() {
    Throwable failure = null;
    for (TckRig rig : rigs) {
      try {
        rig.close();
      } catch (AssertionError | RuntimeException e) {
        if (failure == null) {
          failure = e;
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure instanceof AssertionError e) {
      throw e;
    }
    if (failure instanceof RuntimeException e) {
      throw e;
    }
  }
}
