package io.twostep.platform;

import com.google.inject.AbstractModule;
import com.google.inject.CreationException;
import com.google.inject.Guice;
import com.google.inject.Injector;
import com.google.inject.Module;
import com.google.inject.Stage;
import com.google.inject.spi.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The one way injectors are made here: nothing implicit, everything made at once, errors as lines. */
final class InjectorPolicy extends AbstractModule {
  private InjectorPolicy() {}

  /** Create an injector; returns null and one line for each problem if that fails. */
  static @Nullable Injector create(List<Module> modules, Consumer<String> problem) {
    List<Module> all = new ArrayList<>(modules);
    all.add(new InjectorPolicy());
    try {
      return Guice.createInjector(Stage.PRODUCTION, all);
    } catch (CreationException e) {
      e.getErrorMessages().stream().map(InjectorPolicy::text).distinct().forEach(problem);
      return null;
    }
  }

  @Override
  protected void configure() {
    binder().requireExplicitBindings();
    binder().requireAtInjectOnConstructors();
    binder().requireExactBindingAnnotations();
    binder().disableCircularProxies();
  }

  private static String text(Message message) {
    for (Throwable cause = message.getCause(); cause != null; cause = cause.getCause()) {
      if (cause instanceof InstanceFailure failure) {
        return failure.text();
      }
    }
    String source = message.getSource();
    return message.getMessage().lines().map(String::strip).filter(line -> !line.isEmpty()).findFirst().orElse("a binding failed")
        + " (at " + source + ")";
  }
}
