package io.twostep.platform;

import com.google.inject.Key;
import com.google.inject.Module;
import com.google.inject.PrivateModule;
import com.google.inject.Scopes;
import com.google.inject.matcher.Matchers;
import com.google.inject.spi.ProvisionListener;
import io.twostep.dma.spi.Settings;
import java.util.function.Consumer;

/**
 * One instance of a plugin, with bindings of its own: two instances of one plugin never meet.
 *
 * <p>Everything closeable that is provisioned inside is reported as it is made, so that an assembly that fails half-way can close it.
 */
final class InstanceModule<T> extends PrivateModule {
  private final String what;
  private final Key<T> exposed;
  private final Class<T> type;
  private final Settings settings;
  private final Module parts;
  private final Consumer<AutoCloseable> made;

  InstanceModule(
      String what, Key<T> exposed, Class<T> type, Settings settings, Module parts, Consumer<AutoCloseable> made) {
    this.what = what;
    this.exposed = exposed;
    this.type = type;
    this.settings = settings;
    this.parts = parts;
    this.made = made;
  }

  @Override
  protected void configure() {
    bind(Settings.class).toInstance(settings);
    bindListener(
        Matchers.any(),
        new ProvisionListener() {
          @Override
          public <P> void onProvision(ProvisionInvocation<P> provision) {
            if (provision.provision() instanceof AutoCloseable closeable && type.isInstance(closeable)) {
              made.accept(closeable);
            }
          }
        });
    install(parts);
    binder().withSource(what).bind(exposed).to(type).in(Scopes.SINGLETON);
    expose(exposed);
  }
}
