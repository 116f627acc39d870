package io.twostep.guest.kit;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.List;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs one class of the conformance kit; the arguments are its name and the controllers that are probes. The last line is the summary. */
final class KitMain {
  private KitMain() {}

  public static void main(String[] arguments) {
    ProbeHost.use(List.of(arguments).subList(1, arguments.length));
    KitListener listener = new KitListener();
    try {
      LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selectClass(arguments[0])).build();
      LauncherFactory.create().execute(request, listener);
    } finally {
      ProbeHost.release();
    }
    boolean passed = listener.passed() != 0 && listener.failures().isEmpty();
    System.out.println(passed ? listener.summary() : (listener.summary() + ": " + listener.failures()).replace('\n', ' '));
    System.exit(passed ? 0 : 1);
  }
}
