package io.twostep.platform;

import java.lang.module.FindException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.lang.module.ModuleReference;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where a class came from: its module, or its jar on the class path.
 *
 * @param module name of the module, also where its jar is on the class path
 * @param version the version compiled into the descriptor, else that of the manifest
 * @param location the jar or folder, for messages
 */
record Origin(String module, String version, String location) {
  private static final String UNKNOWN = "unknown";

  static Origin of(Class<?> type) {
    Path path = path(type);
    String location = path == null ? UNKNOWN : path.toString();
    ModuleDescriptor descriptor = type.getModule().getDescriptor();
    if (descriptor == null && path != null) {
      descriptor = descriptor(path).orElse(null);
    }
    String manifest = type.getPackage().getImplementationVersion();
    String version = manifest == null ? UNKNOWN : manifest;
    if (descriptor == null) {
      Path file = path == null ? null : path.getFileName();
      return new Origin(file == null ? UNKNOWN : file.toString(), version, location);
    }
    return new Origin(descriptor.name(), descriptor.rawVersion().orElse(version), location);
  }

  /** Return how messages name a class. */
  static String text(Class<?> type) {
    return type.getName() + " in " + of(type).location;
  }

  private static Optional<ModuleDescriptor> descriptor(Path path) {
    try {
      return ModuleFinder.of(path).findAll().stream().map(ModuleReference::descriptor).findFirst();
    } catch (FindException e) {
      return Optional.empty();
    }
  }

  private static @Nullable Path path(Class<?> type) {
    CodeSource source = type.getProtectionDomain().getCodeSource();
    if (source == null || source.getLocation() == null) {
      return null;
    }
    try {
      URI uri = source.getLocation().toURI();
      return Path.of(uri);
    } catch (URISyntaxException | IllegalArgumentException | FileSystemNotFoundException e) {
      return null;
    }
  }
}
