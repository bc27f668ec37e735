"""Series: samples by point and time, in the embedded store and in InfluxDB."""
