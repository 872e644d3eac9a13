    CREATE TABLE identities (
        dicom_id TEXT NOT NULL,         -- PatientID as the DICOM files say it
        patient_id TEXT NOT NULL,       -- the folder under which they came
        PRIMARY KEY (dicom_id, patient_id)
    ) WITHOUT ROWID;
    CREATE INDEX identities_by_patient ON identities (patient_id);
