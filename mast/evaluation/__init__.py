"""Code shared by protocols: features, labelled images, training of heads and detectors; and the runner of protocols."""
